import { once } from 'node:events'
import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, expect, onTestFinished, test } from 'vitest'
import { buildPage } from '../../scripts/web.ts'
import type { Running } from './program.ts'
import { Desk, ownQueue, tasks } from './program.ts'

beforeAll(async () => {
  await buildPage()
})

/** A dashboard that runs, and the link that it printed last. */
async function start(desk: Desk, ...words: string[]): Promise<{ running: Running; link: () => string }> {
  const running = desk.start(['dashboard', ...words])
  await running.says('/open?ticket=')
  return { running, link: () => running.out.match(/http:\S+ticket=\S+/g)?.at(-1) ?? '' }
}

const open = (link: string): Promise<Response> => fetch(link, { redirect: 'manual' })

/** The cookie of a browser that the link let in. */
async function enter(link: string): Promise<{ base: string; cookie: string }> {
  const answer = await open(link)
  expect(answer.status).toBe(303)
  const [cookie = ''] = answer.headers.getSetCookie()
  expect(cookie).toContain('HttpOnly')
  expect(cookie).toMatch(/SameSite=(?:Lax|Strict)/)
  return {
    base: new URL(answer.headers.get('location') ?? '', link).href,
    cookie: cookie.split(';')[0] ?? '',
  }
}

test('the link lets one browser in, once; the next one is on the terminal', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"ann"}')
  const { running, link } = await start(desk)
  const first = link()
  const { origin } = new URL(first)
  expect((await fetch(`${origin}/offload/api/jobs`)).status).toBe(403)
  expect((await fetch(`${origin}/`)).status).toBe(403)
  const { base, cookie } = await enter(first)
  expect((await fetch(base, { headers: { cookie } })).status).toBe(200)
  const jobs = await fetch(`${base}api/jobs`, { headers: { cookie } })
  expect(await jobs.json()).toMatchObject({ jobs: [{ task: 'hello', state: 'queued' }] })
  expect((await open(first)).status).toBe(403)
  await running.says('for another browser')
  expect(link()).not.toBe(first)
  await enter(link())
  expect((await open(`${origin}/offload/open?ticket=`)).status).toBe(403)
  running.child.kill('SIGTERM')
  expect((await running.ended).code).toBe(0)
})

test('another name that leads to it is refused, with or without a ticket', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"ann"}')
  const { link } = await start(desk)
  const { port, pathname, search } = new URL(link())
  const asking = request({
    port,
    host: '127.0.0.1',
    path: pathname + search,
    headers: { host: `evil.example:${port}` },
  })
  asking.end()
  const [answer] = await once(asking, 'response')
  expect(answer.statusCode).toBe(421)
  expect(answer.headers['set-cookie']).toBeUndefined()
  answer.resume()
})

test.each([
  { what: 'the tasks of a module', words: [tasks], enqueues: true },
  { what: 'the queue of a module', words: [ownQueue], enqueues: true },
  { what: 'nothing to queue without one', words: [], enqueues: false },
])('it has $what', async ({ words, enqueues }) => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"ann"}')
  const { link } = await start(desk, ...words)
  const { base, cookie } = await enter(link())
  const { tasks: known } = (await (await fetch(`${base}api/tasks`, { headers: { cookie } })).json()) as {
    tasks: []
  }
  expect(known.length > 0).toBe(enqueues)
})

test('read-only, nothing can be changed there', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"ann"}')
  const { link } = await start(desk, '--read-only')
  const { base, cookie } = await enter(link())
  const headers = { cookie, 'x-offload-dashboard': '1' }
  expect((await fetch(`${base}api/queues/default/pause`, { method: 'POST', headers })).status).toBe(403)
})

test('a port that is taken, and one that is none, are wrong usage with a reason', async () => {
  const desk = new Desk()
  await desk.enqueue('hello', '{"name":"ann"}')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => void server.close())
  const { port } = server.address() as AddressInfo
  const taken = await desk.run('dashboard', '--port', String(port))
  expect(taken).toMatchObject({ code: 2, err: expect.stringContaining('EADDRINUSE') })
  expect(await desk.run('dashboard', '--port', '70000')).toMatchObject({ code: 2 })
})
