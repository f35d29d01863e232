import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Worker } from 'offload'
import type { ClientEvent, ClientJob, OffloadClient } from 'offload/client'
import { offloadClient } from 'offload/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Link } from '../scripts/servers/proxy.ts'
import type { Running, Shop, Traffic } from './fixtures/client-shop.ts'
import { gate, openShop, traffic } from './fixtures/client-shop.ts'

let folder: string
let shop: Running

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'offload-client-'))
  shop = await openShop({ url: `sqlite:${join(folder, 'jobs.db')}` })
})

afterEach(async () => {
  await shop.close()
  rmSync(folder, { recursive: true, force: true })
})

const clientOf = (url: string, { fetch }: Traffic = traffic()): OffloadClient<Shop> =>
  offloadClient<Shop>({ base: url, fetch })

/** What the server itself tells of a job. */
async function toldOf(id: string): Promise<number[]> {
  const ids: number[] = []
  for await (const { eventId } of shop.queue.watch(id, { after: 0 })) ids.push(eventId)
  return ids
}

const numbered = (events: readonly ClientEvent[]): (number | undefined)[] => events.map(({ id }) => id)

async function all<Result>(events: AsyncIterable<ClientEvent<Result>>): Promise<ClientEvent<Result>[]> {
  const list: ClientEvent<Result>[] = []
  for await (const event of events) list.push(event)
  return list
}

describe('follow', () => {
  test('a job is followed to its end: how it stands, each event, and all that it came to', async () => {
    const client = clientOf(shop.url)
    const job = await client.submit('/steps', { count: 2 })
    const events: ClientEvent<number>[] = []
    let worker: Worker | undefined
    for await (const event of client.follow(job)) {
      events.push(event)
      worker ??= shop.queue.work()
      if (event.type === 'started' || event.type === 'progress') await gate.go()
    }
    expect(events.map(({ type }) => type)).toEqual(['state', 'started', 'progress', 'progress', 'done'])
    expect(events[2]).toMatchObject({ attempt: 1, progress: { step: 1 }, at: expect.any(String) })
    expect(events.at(-1)?.job).toMatchObject({ state: 'done', result: 2 })
    await worker?.stop()
  })

  test('a connection that is cut again and again loses no event and tells none twice', async () => {
    await using link = await Link.to(Number(new URL(shop.url).port), () => 0.5)
    const seen = traffic()
    const client = clientOf(`http://127.0.0.1:${link.port}`, seen)
    const job = await client.submit('/steps', { count: 12 })
    const events: ClientEvent<number>[] = []
    let worker: Worker | undefined
    for await (const event of client.follow(job)) {
      events.push(event)
      worker ??= shop.queue.work()
      if (event.type !== 'started' && event.type !== 'progress') continue
      if (events.length % 3 === 0) link.cut()
      await gate.go()
    }
    const [first = { id: 0 }] = events
    const told = await toldOf(job.id)
    expect(numbered(events).slice(1)).toEqual(told.filter((id) => id > (first.id ?? 0)))
    expect(
      events.filter(({ type }) => type === 'progress').map((event) => 'progress' in event && event.progress),
    ).toEqual(Array.from({ length: 12 }, (_, index) => ({ step: index + 1 })))
    expect(seen.seen.filter((line) => line === 'GET /jobs/{id}/events 200').length).toBeGreaterThan(3)
    await worker?.stop()
  })

  test('events that are cut in their middle come whole, each once', async () => {
    await using link = await Link.to(Number(new URL(shop.url).port), () => 0.5)
    const seen = traffic()
    const client = clientOf(`http://127.0.0.1:${link.port}`, seen)
    const job = await client.submit('/steps', { count: 9 })
    link.weather = { slice: 7, resetAfter: 1150 }
    const events: ClientEvent<number>[] = []
    let worker: Worker | undefined
    for await (const event of client.follow(job)) {
      events.push(event)
      worker ??= shop.queue.work()
      if (event.type === 'started' || event.type === 'progress') await gate.go()
      if (event.type === 'progress' && (event.progress as { step: number }).step === 9) link.weather = {}
    }
    const ids = numbered(events)
    const told = (await toldOf(job.id)).filter((id) => id > (ids[0] ?? 0))
    expect(ids.slice(1)).toEqual(told)
    expect(seen.seen.filter((line) => line === 'GET /jobs/{id}/events 200').length).toBeGreaterThan(1)
    await worker?.stop()
  })

  test('a server that is restarted on its port and file goes on where it was', async () => {
    const seen = traffic((line) => line === 'GET /jobs/{id}/events cut' && void back())
    const client = clientOf(shop.url, seen)
    const port = Number(new URL(shop.url).port)
    let isBack: Promise<unknown> | undefined
    const back = (): Promise<unknown> => {
      isBack ??= openShop({ url: `sqlite:${join(folder, 'jobs.db')}`, port }).then((again) => {
        shop = again
        shop.queue.work()
      })
      return isBack
    }
    const job = await client.submit('/steps', { count: 0 })
    const events: ClientEvent<number>[] = []
    for await (const event of client.follow(job)) {
      events.push(event)
      if (event.type === 'state' && event.job.state === 'queued') await shop.close()
      if (event.type === 'started') await gate.go()
    }
    expect(seen.seen).toContain('GET /jobs/{id}/events cut')
    expect(events.map(({ type }) => type)).toEqual(['state', 'started', 'done'])
    expect(numbered(events).slice(1)).toEqual(
      (await toldOf(job.id)).filter((id) => id > (events[0]?.id ?? 0)),
    )
  })

  test('it goes on after an event that one has, and tells the end again when all was told', async () => {
    const client = clientOf(shop.url)
    const job = await client.submit('/steps', { count: 1 })
    const events: ClientEvent<number>[] = []
    let later: Promise<ClientEvent[]> | undefined
    let worker: Worker | undefined
    for await (const event of client.follow(job)) {
      events.push(event)
      worker ??= shop.queue.work()
      if (event.type === 'started') later = all(client.follow(job.links.self, { after: event.id }))
      if (event.type === 'started' || event.type === 'progress') await gate.go()
    }
    expect(await later).toEqual(events.slice(2))
    const again = await all(client.follow(job, { after: events.at(-1)?.id }))
    expect(again).toMatchObject([{ type: 'state', id: undefined, job: { state: 'done', result: 1 } }])
    await worker?.stop()
  })

  test('who leaves closes the connection', async () => {
    const closed: string[] = []
    const watched = await openShop({}, (app) =>
      app.server.on('request', (request, response) =>
        response.on('close', () => closed.push(request.url ?? '')),
      ),
    )
    const client = clientOf(watched.url)
    const job = await client.submit('/steps', { count: 1 })
    for await (const _ of client.follow(job)) break
    await expect.poll(() => closed).toContain(job.links.events)
    await watched.close()
  })

  test('a signal ends it with its reason, whatever it waits for', async () => {
    const client = clientOf(shop.url)
    const job = await client.submit('/steps', { count: 1 })
    const controller = new AbortController()
    const work = all(client.follow(job, { signal: controller.signal }))
    const waiting = client.wait(job, { signal: controller.signal })
    controller.abort(new Error('enough'))
    await expect(work).rejects.toThrow('enough')
    await expect(waiting).rejects.toThrow('enough')
    await expect(client.wait(job, { signal: controller.signal })).rejects.toThrow('enough')
  })

  test('waiting ends when it takes too long, and the job goes on', async () => {
    const client = clientOf(shop.url)
    const job = await client.submit('/steps', { count: 1 })
    await expect(client.wait(job, { timeout: 100 })).rejects.toMatchObject({ code: 'RESULT_TIMEOUT' })
    expect((await client.get(job)).state).toBe('queued')
  })
})

describe('without a stream', () => {
  /** Waits for a job that is finished once it was looked at three times. */
  async function waited(url: string, seen: Traffic, open: Running): Promise<number> {
    const client = clientOf(url, seen)
    const job: ClientJob<number> = await client.submit('/steps', { count: 0 })
    const result = client.wait(job)
    await expect
      .poll(() => seen.seen.filter((line) => line.includes('/jobs/{id} ')).length, { timeout: 20_000 })
      .toBeGreaterThan(2)
    const worker = open.queue.work()
    await gate.go()
    const value = await result
    await worker.stop()
    return value
  }

  test('where there is no event route the job itself is looked at, and not sent again while it is the same', async () => {
    await using open = await shopWithout(404)
    const seen = traffic()
    expect(await waited(open.running.url, seen, open.running)).toBe(0)
    expect(seen.seen.filter((line) => line.includes('/events'))).toHaveLength(1)
    expect(seen.seen).toContain('GET /jobs/{id} 304')
  })

  test('where streams are refused for now it looks at the job, and asks for one again', async () => {
    const full = await openShop({ maxStreams: 0 })
    const seen = traffic()
    expect(await waited(full.url, seen, full)).toBe(0)
    expect(seen.seen).toContain('GET /jobs/{id}/events 503')
    await full.close()
  })

  test('where a proxy holds the stream back it looks at the job', async () => {
    await using proxy = await bufferingProxy(shop.url)
    const seen = traffic()
    expect(await waited(proxy.url, seen, shop)).toBe(0)
    expect(seen.seen).toContain('GET /jobs/{id}/events cut')
  })

  test('a gateway that has no server for a moment is asked again for the stream', async () => {
    let away = 2
    const behind = await openShop({}, (app) =>
      app.addHook('onRequest', async (request, reply) => {
        if (request.method === 'GET' && away-- > 0) return reply.code(502).send('no server')
        return undefined
      }),
    )
    const client = clientOf(behind.url)
    const worker = behind.queue.work()
    const job = await client.submit('/reports', { size: 1 })
    expect((await all(client.follow(job))).at(-1)).toMatchObject({
      id: expect.any(Number),
      job: { state: 'done' },
    })
    await worker.stop()
    await behind.close()
  })
})

async function shopWithout(status: number): Promise<AsyncDisposable & { running: Running }> {
  const running = await openShop({}, (app) =>
    app.addHook('onRequest', async (request, reply) =>
      request.url.endsWith('/events') ? reply.code(status).send('not here') : undefined,
    ),
  )
  return { running, [Symbol.asyncDispose]: () => running.close() }
}

/** Gives an answer on only when it is whole, as some proxies do. */
async function bufferingProxy(target: string): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(async (req, res) => {
    const left = new AbortController()
    res.on('close', () => left.abort())
    const parts: Buffer[] = []
    for await (const part of req) parts.push(part)
    const { method = 'GET', headers, url } = req
    const body = method === 'POST' ? { body: Buffer.concat(parts) } : {}
    const type = { 'content-type': headers['content-type'] ?? 'text/plain' }
    try {
      const answer = await fetch(target + url, { method, headers: type, signal: left.signal, ...body })
      const bytes = Buffer.from(await answer.arrayBuffer())
      res.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' }).end(bytes)
    } catch {
      res.destroy()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
