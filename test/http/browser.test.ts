import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Fastify from 'fastify'
import type { Offload } from 'offload'
import { offload } from 'offload'
import type { OffloadFastifyOptions } from 'offload/http/fastify'
import { offloadFastify } from 'offload/http/fastify'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, onTestFailed, test, vi } from 'vitest'
import { findChromium, noChromium } from '../../scripts/chromium.ts'
import type { JobEvent } from '../../src/ledger.ts'
import type { Told } from '../fixtures/site/page.ts'
import { page as html } from '../fixtures/site/page.ts'
import { freePort, kill, Site } from '../fixtures/site/processes.ts'
import { accept, order, walk } from '../fixtures/site/tasks.ts'

/** A browser comes back after three seconds, and there are several such waits. */
const LONG = 120_000
const soon = { timeout: 30_000, interval: 20 }
const CLOSED = 2

const program = findChromium()
const isRequired = process.env.OFFLOAD_REQUIRE_BACKENDS === 'all'
if (program === undefined) console.warn(`SKIPPED, a browser that follows: ${noChromium}`)

describe.skipIf(program === undefined && !isRequired)('a browser', () => {
  let browser: Browser
  beforeAll(async () => {
    if (program === undefined) throw new Error(noChromium)
    browser = await chromium.launch({
      executablePath: program,
      args: ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1'],
    })
  })
  afterAll(() => browser?.close())

  /** A page that shares no cookies with others; how it stood is kept when the test fails. */
  async function open(url: string): Promise<Page> {
    const page = await browser.newPage()
    onTestFailed(async ({ task }) => {
      const path = join(tmpdir(), `offload-${task.id}.png`)
      await page.screenshot({ path, fullPage: true })
      console.log(`how the page stood: ${path}`)
    })
    await page.goto(url)
    return page
  }

  test(
    'resumes by itself over servers that are killed, is told of each event once, and stops after the end',
    async () => {
      await using site = new Site()
      const port = await freePort()
      let server = await site.serve(port)
      await using queue = offload({ url: `sqlite:${site.file}`, tasks: [walk, order] })
      const worker = await site.work()

      const page = await open(`http://127.0.0.1:${port}/`)
      const answers = answersTo(page, '/events')
      let refused = 0
      page.on('requestfailed', (request) => {
        if (request.failure()?.errorText === 'net::ERR_CONNECTION_REFUSED') refused++
      })
      const id = await submit(page)
      await page.evaluate((url) => follow(url), `/jobs/${id}/events`)

      for (const end of ['later', 'meanwhile']) {
        const before = (await toldTo(page)).length
        await vi.waitFor(async () => expect((await toldTo(page)).length).toBeGreaterThan(before + 3), soon)
        await kill(server)
        // The job goes on, and the browser asks in vain, before somebody is there again.
        const known = (await toldTo(page)).at(-1)?.id ?? 0
        const refusals = refused
        if (end === 'meanwhile') worker.send('end')
        if (end === 'meanwhile') await queue.result(id)
        await vi.waitFor(
          async () => expect((await eventsOf(queue, id, known)).length).toBeGreaterThan(1),
          soon,
        )
        await vi.waitFor(() => expect(refused).toBeGreaterThan(refusals), soon)
        server = await site.serve(port)
      }
      await vi.waitFor(async () => expect(await stateOf(page)).toBe(CLOSED), soon)

      const [begin, ...told] = await toldTo(page)
      expect(begin?.type).toBe('state')
      const expected = await eventsOf(queue, id, begin?.id ?? 0)
      expect(told.map(brief)).toEqual(
        expected.map(({ eventId: id, type, data }) => brief({ id, type, data })),
      )
      expect(JSON.parse(told.at(-1)?.data ?? '')).toMatchObject({
        id,
        state: 'done',
        result: await queue.result(id),
      })

      expect(answers).toEqual([200, 200, 200, 204])
      const asked = site.requests().filter(({ url }) => url === `/jobs/${id}/events`)
      expect(asked).toHaveLength(4)
      expect(asked[0]?.lastEventId).toBeUndefined()
      const ids = [begin, ...told].map((one) => String(one?.id))
      for (const { lastEventId } of asked.slice(1, -1)) expect(ids.slice(0, -1)).toContain(lastEventId)
      expect(asked.at(-1)?.lastEventId).toBe(ids.at(-1))
    },
    LONG,
  )

  /** A server, and a page of another name than the one that it is asked by. */
  async function openAcross(
    pageHost: string,
    apiHost: string,
    options: (page: string) => Partial<OffloadFastifyOptions>,
  ): Promise<Across> {
    const port = await freePort()
    const queue = offload({ url: 'memory:', tasks: [walk, order] })
    const app = Fastify({ forceCloseConnections: true })
    app.get('/', (_request, reply) => reply.type('text/html').send(html))
    app.register(offloadFastify, { queue, accept, ...options(`http://${pageHost}:${port}`) })
    await app.listen({ port, host: '127.0.0.1' })
    const page = await open(`http://${pageHost}:${port}/`)
    return {
      queue,
      page,
      api: `http://${apiHost}:${port}`,
      async [Symbol.asyncDispose]() {
        await app.close()
        await queue.close()
      },
    }
  }

  test('shows a page of another origin nothing of a job, and queues nothing for it', async () => {
    await using across = await openAcross('localhost', '127.0.0.1', elsewhere)
    const { queue, page, api } = across
    const { id } = await queue.enqueue(walk, {})
    expect(await page.evaluate(ask, { url: `${api}/jobs/${id}` })).toBe('TypeError')
    await page.evaluate((url) => follow(url), `${api}/jobs/${id}/events`)
    await vi.waitFor(async () => expect(await stateOf(page)).toBe(CLOSED), soon)
    expect(await toldTo(page)).toEqual([])
    expect(await submit(page, api)).toBe('TypeError')
    for (const type of ['text/plain', 'application/x-www-form-urlencoded'])
      expect(await page.evaluate(ask, { url: `${api}/walks`, blindly: type })).toBe(0)
    expect((await queue.find()).jobs).toHaveLength(1)
  })

  test('cancels nothing for a page of another origin that is not let in', async () => {
    for (const options of [() => ({}), elsewhere]) {
      await using across = await openAcross('localhost', '127.0.0.1', options)
      const { queue, page, api } = across
      const { id } = await queue.enqueue(walk, {})
      expect(await page.evaluate(ask, { url: `${api}/jobs/${id}/cancel`, blindly: 'text/plain' })).toBe(0)
      expect((await queue.get(id))?.state).toBe('queued')
    }
  })

  test.each([
    { name: 'every page is', cors: () => ({ cors: { origins: '*' } as const }) },
    { name: 'it is', cors: (page: string) => ({ cors: { origins: [page] } }) },
  ])(
    'lets a page of another origin submit, follow to the end, and cancel where $name let in',
    async ({ cors }) => {
      await using across = await openAcross('localhost', '127.0.0.1', cors)
      const { queue, page, api } = across
      const answers = answersTo(page, '/events')
      const id = await submit(page, api)
      expect((await queue.get(id))?.state).toBe('queued')
      expect(await page.evaluate(ask, { url: `${api}/jobs/${id}` })).toBe(200)
      await page.evaluate((url) => follow(url), `${api}/jobs/${id}/events`)
      await vi.waitFor(async () => expect(await toldTo(page)).toHaveLength(1), soon)
      expect(await page.evaluate(ask, { url: `${api}/jobs/${id}/cancel`, method: 'POST' })).toBe(200)
      await vi.waitFor(async () => expect(await stateOf(page)).toBe(CLOSED), soon)
      expect((await toldTo(page)).map(({ type }) => type)).toEqual(['state', 'cancelled'])
      expect(answers).toEqual([200, 204])
    },
    LONG,
  )

  test.each([
    { name: 'lets cookies of a page that is let in come along', credentials: true, states: ['state'] },
    {
      name: 'hides from a page what its cookies would show, unless they may come along',
      credentials: false,
      states: [],
    },
  ])('$name', async ({ credentials, states }) => {
    await using across = await openAcross('page.shop.test', 'api.shop.test', (origin) => ({
      cors: { origins: [origin], credentials },
      authorize: (request) => request.headers.get('cookie') === 'me=1',
    }))
    const { queue, page, api } = across
    await page.context().addCookies([{ name: 'me', value: '1', domain: 'api.shop.test', path: '/' }])
    const { id } = await queue.enqueue(walk, {})
    await page.evaluate((url) => follow(url, { withCredentials: true }), `${api}/jobs/${id}/events`)
    await vi.waitFor(
      async () =>
        expect([await stateOf(page), (await toldTo(page)).length]).toEqual(
          states.length === 0 ? [CLOSED, 0] : [1, 1],
        ),
      soon,
    )
    expect((await toldTo(page)).map(({ type }) => type)).toEqual(states)
  })
})

/** Lets in pages, but not the one that asks. */
function elsewhere(): Partial<OffloadFastifyOptions> {
  return { cors: { origins: ['http://localhost', 'http://127.0.0.1', 'null'] } }
}

interface Across extends AsyncDisposable {
  readonly queue: Offload
  readonly page: Page
  readonly api: string
}

function toldTo(page: Page): Promise<Told[]> {
  return page.evaluate(() => told)
}

function stateOf(page: Page): Promise<number> {
  return page.evaluate(() => stream.readyState)
}

/** The statuses of what a page asks for, as they come. */
function answersTo(page: Page, path: string): number[] {
  const answers: number[] = []
  page.on('response', (response) => {
    if (response.url().endsWith(path)) answers.push(response.status())
  })
  return answers
}

/** The id of a new job, or the name of the error. */
function submit(page: Page, base = ''): Promise<string> {
  return page.evaluate(async (url) => {
    try {
      const headers = { 'content-type': 'application/json', 'idempotency-key': `"${Math.random()}"` }
      const response = await fetch(url, { method: 'POST', headers, body: '{}' })
      return response.headers.get('location')?.split('/').at(-1) ?? 'no location'
    } catch (error) {
      return (error as Error).name
    }
  }, `${base}/walks`)
}

interface Asked {
  readonly url: string
  readonly method?: string
  /** Sends a POST of this content type, without looking at the answer: what browsers let any page do. */
  readonly blindly?: string
}

/** What a page learns: the status, 0 when it is hidden, or the name of the error. */
async function ask({ url, method = 'GET', blindly }: Asked): Promise<number | string> {
  const init: RequestInit =
    blindly === undefined
      ? { method }
      : { method: 'POST', mode: 'no-cors', headers: { 'content-type': blindly }, body: '{}' }
  try {
    return (await fetch(url, init)).status
  } catch (error) {
    return (error as Error).name
  }
}

/** What the ledger has of a job after an event, until now. */
async function eventsOf(queue: Offload, id: string, after: number): Promise<JobEvent[]> {
  const { eventId = 0 } = (await queue.get(id)) ?? {}
  const events: JobEvent[] = []
  if (eventId <= after) return events
  for await (const event of queue.watch(id, { after })) {
    events.push(event)
    if (event.eventId >= eventId) break
  }
  return events
}

/** An event in a line: as the ledger has it, or as a page was told. */
function brief({ id, type, data }: { id: number; type: string; data: string | undefined }): string {
  const value = data === undefined ? undefined : JSON.parse(data)
  return type === 'progress' ? `${id} progress ${value.progress?.step ?? value.step}` : `${id} ${type}`
}
