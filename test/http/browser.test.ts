import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Ledger, Offload } from 'offload'
import { offload } from 'offload'
import { openSqlite } from 'offload/backends/sqlite'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { findChromium, noChromium } from '../../scripts/chromium.ts'
import { startServer, storeFile } from './processes.ts'
import { tasks } from './tasks.ts'

let browser: Browser | undefined

beforeAll(async () => {
  const executablePath = findChromium()
  if (executablePath !== undefined)
    browser = await chromium.launch({
      executablePath,
      args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
      timeout: 60_000,
    })
  else if (process.env.OFFLOAD_REQUIRE_BACKENDS === 'all') throw new Error(noChromium)
  else console.warn(`SKIPPED, every test in a browser: ${noChromium}`)
}, 360_000)

afterAll(() => browser?.close())

/** A page of this address, closed with the test. */
async function open(url: string): Promise<Page> {
  if (browser === undefined) throw new Error(noChromium)
  const page = await browser.newPage()
  onTestFinished(() => page.close())
  await page.goto(url)
  return page
}

/** Listens to an event stream in a page, as anybody would write it. */
async function listen(page: Page, url: string): Promise<void> {
  await page.evaluate(`{
    const source = new EventSource(${JSON.stringify(url)})
    window.source = source
    window.heard = []
    for (const type of ${JSON.stringify(['state', 'reset', ...jobEvents])})
      source.addEventListener(type, (event) => window.heard.push([type, Number(event.lastEventId)]))
  }`)
}

const jobEvents = ['accepted', 'queued', 'started', 'progress', 'retrying', 'done', 'dead', 'cancelled']

const heard = (page: Page): Promise<[type: string, id: number][]> => page.evaluate('window.heard')

/** 1 is open, 2 is closed for good. */
const readyState = (page: Page): Promise<number> => page.evaluate('window.source.readyState')

/** A queue on a file, and what is below it, to make happen what a handler would. */
async function openFile(file: string): Promise<{ queue: Offload; ledger: Ledger }> {
  let ledger: Ledger | undefined
  const queue = offload({
    url: {
      open: async (options) => {
        const backend = await openSqlite(file, options)
        ledger = backend.ledger
        return backend
      },
    },
    tasks,
  })
  onTestFinished(() => queue.close())
  await queue.ready()
  if (ledger === undefined) throw new Error('no ledger')
  return { queue, ledger }
}

describe('a page in a real browser', () => {
  beforeEach((context) => {
    if (browser === undefined) context.skip(noChromium)
  })

  test('follows a job through a restart and a crash of the server: no event is lost or comes twice, and it stops at the end', async () => {
    const file = storeFile()
    const { queue, ledger } = await openFile(file)
    const { id } = await queue.enqueue(tasks[1], {})
    const first = await startServer({ file })
    const page = await open(first.url)
    await listen(page, `/jobs/${id}/events`)
    await expect.poll(() => heard(page), slowly).toEqual([['state', 1]])

    const [claim] = await ledger.claim('default', { limit: 1, leaseMs: 120_000, worker: 'test' })
    if (claim === undefined) throw new Error('no job waits')
    const progress = (step: number): Promise<unknown> =>
      ledger.renew([{ claim, progress: JSON.stringify({ step }) }], 120_000)
    await progress(1)
    await expect.poll(async () => (await heard(page)).length, slowly).toBe(3)

    await first.end('SIGTERM')
    await progress(2)
    await progress(3)
    const second = await startServer({ file, port: first.port })
    await progress(4)
    await expect.poll(async () => (await heard(page)).length, slowly).toBe(6)

    await second.end('SIGKILL')
    await progress(5)
    await ledger.settle([{ claim, type: 'done', result: '"fine"' }])
    await startServer({ file, port: first.port })
    await expect.poll(() => readyState(page), slowly).toBe(2)
    expect(await heard(page)).toEqual([
      ['state', 1],
      ['started', 2],
      ['progress', 3],
      ['progress', 4],
      ['progress', 5],
      ['progress', 6],
      ['progress', 7],
      ['done', 8],
    ])
  }, 120_000)

  test('of another origin is kept out by default, and let in when it is named', async () => {
    const file = storeFile()
    const { queue } = await openFile(file)
    const { id } = await queue.enqueue(tasks[1], {})
    const origin = await originOfAnother()
    const [closed, opened] = await Promise.all([
      startServer({ file }),
      startServer({ file, cors: { origins: [origin] } }),
    ])
    const page = await open(origin)
    const post = (url: string, key: string): Promise<unknown> =>
      page.evaluate(`fetch(${JSON.stringify(`${url}/echo`)}, {
        method: 'POST',
        headers: { 'content-type': 'application/json', 'idempotency-key': ${JSON.stringify(key)} },
        body: '{"text":"a"}',
      }).then(({ status, headers }) => [status, headers.get('location'), headers.get('retry-after')], () => 'blocked')`)
    const read = (url: string): Promise<unknown> =>
      page.evaluate(
        `fetch(${JSON.stringify(`${url}/jobs/${id}`)}).then((answer) => answer.json(), () => 'blocked')`,
      )

    expect(await post(closed.url, 'one')).toBe('blocked')
    expect(await read(closed.url)).toBe('blocked')
    await listen(page, `${closed.url}/jobs/${id}/events`)
    await expect.poll(() => readyState(page), slowly).toBe(2)
    expect((await queue.find({ task: 'echo' })).jobs).toEqual([])

    expect(await post(opened.url, 'two')).toEqual([202, expect.stringMatching(/^\/jobs\//), '1'])
    expect(await read(opened.url)).toMatchObject({ id, state: 'queued' })
    await listen(page, `${opened.url}/jobs/${id}/events`)
    await expect.poll(async () => (await heard(page)).map(([type]) => type), slowly).toEqual(['state'])
  }, 120_000)
})

const slowly = { timeout: 30_000, interval: 50 }

/** The origin of a page that belongs to somebody else. */
async function originOfAnother(): Promise<string> {
  const server = createServer((_req, res) =>
    res.writeHead(200, { 'content-type': 'text/html' }).end('<!doctype html><title>another</title>'),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
