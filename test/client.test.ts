import type { ClientJob, OffloadClient, OffloadClientOptions } from 'offload/client'
import { OffloadClientError, offloadClient } from 'offload/client'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { Link } from '../scripts/servers/proxy.ts'
import type { Running, Shop, Traffic } from './fixtures/client-shop.ts'
import { gate, openShop, traffic } from './fixtures/client-shop.ts'

let shop: Running
let seen: Traffic['seen']
let client: OffloadClient<Shop>

const clientOf = (url: string, options: OffloadClientOptions = {}): OffloadClient<Shop> => {
  const watched = traffic()
  seen = watched.seen
  return offloadClient<Shop>({ base: url, fetch: watched.fetch, ...options })
}

const failure = (work: Promise<unknown>): Promise<OffloadClientError> =>
  work.then(
    (value) => expect.fail(`expected a failure, not ${JSON.stringify(value)}`),
    (error: OffloadClientError) => error,
  )

beforeEach(async () => {
  shop = await openShop()
  client = clientOf(shop.url)
})

afterEach(async () => {
  await shop.close()
})

describe('submit', () => {
  test('a submitted job runs and its result is waited for', async () => {
    const worker = shop.queue.work()
    const job = await client.submit('/reports', { size: 3 })
    expect(job).toMatchObject({ task: 'report', state: 'queued', links: { self: `/jobs/${job.id}` } })
    expect(await client.wait(job)).toEqual({ text: 'xxx', size: 3 })
    await worker.stop()
  })

  test('the server may hold the answer until the job has ended', async () => {
    const worker = shop.queue.work()
    const job = await client.submit('/reports', { size: 1 }, { wait: '10s' })
    expect(job).toMatchObject({ state: 'done', result: { text: 'x', size: 1 } })
    expect(await client.wait(job)).toEqual({ text: 'x', size: 1 })
    expect(seen).toEqual(['POST /reports 200'])
    await worker.stop()
  })

  test('an input that does not fit is refused with each fault, and not sent again', async () => {
    const error = await failure(client.submit('/reports', { size: 'big' as never }))
    expect(error).toBeInstanceOf(OffloadClientError)
    expect(error).toMatchObject({ code: 'INPUT_INVALID', status: 422, errors: [{ path: 'size' }] })
    expect(error.detail).toBe(error.message)
    expect(seen).toEqual(['POST /reports 422'])
  })

  test('a full queue is asked again when it said, until it has room', async () => {
    await shop.close()
    shop = await openShop({ waiting: 1 })
    const first = await clientOf(shop.url).submit('/reports', { size: 1 })
    const watched = traffic((line) => line === 'POST /reports 503' && void shop.queue.cancel(first.id))
    const second = await offloadClient<Shop>({ base: shop.url, fetch: watched.fetch }).submit('/reports', {
      size: 2,
    })
    expect(watched.seen).toEqual(['POST /reports 503', 'POST /reports 202'])
    expect((await shop.queue.get(second.id))?.state).toBe('queued')
  })

  test('a response that is cut is asked for again, and there is one job', async () => {
    await using link = await Link.to(Number(new URL(shop.url).port), () => 0.5)
    // Enough for the request, too little for the answer.
    link.weather = { resetAfter: 450 }
    const watched = traffic((line) => {
      if (line.endsWith('202')) link.weather = {}
    })
    let cuts = 0
    const through = offloadClient<Shop>({
      base: `http://127.0.0.1:${link.port}`,
      async fetch(url, init) {
        const response = await watched.fetch(url, init).catch((error) => {
          cuts++
          throw error
        })
        const { status, headers } = response
        const body = await response.arrayBuffer().catch((error) => {
          cuts++
          throw error
        })
        return new Response(body, { status, headers })
      },
    })
    const job = await through.submit('/reports', { size: 1 })
    expect(cuts).toBe(1)
    expect((await shop.queue.find({})).jobs.map(({ id }) => id)).toEqual([job.id])
  })

  test('the same key is the same job, and another input under it is refused', async () => {
    const idempotencyKey = 'a "quoted" \\ key'
    const first = await client.submit('/reports', { size: 1 }, { idempotencyKey })
    expect((await client.submit('/reports', { size: 1 }, { idempotencyKey })).id).toBe(first.id)
    expect((await client.submit('/reports', { size: 1 })).id).not.toBe(first.id)
    expect(await failure(client.submit('/reports', { size: 2 }, { idempotencyKey }))).toMatchObject({
      code: 'IDEMPOTENCY_MISMATCH',
      status: 422,
    })
  })

  test('a key whose first request is still being answered is tried again until there is the answer', async () => {
    const watched = traffic((line) => line === 'POST /steps 409' && void gate.go())
    const both = offloadClient<Shop>({ base: shop.url, fetch: watched.fetch })
    const worker = shop.queue.work()
    const options = { idempotencyKey: 'k', wait: '20s' } as const
    const [first, second] = await Promise.all([
      both.submit('/steps', { count: 0 }, options),
      both.submit('/steps', { count: 0 }, options),
    ])
    expect(second).toMatchObject({ id: first.id, state: 'done', result: 0 })
    expect(watched.seen).toContain('POST /steps 409')
    await worker.stop()
  })

  test('a server that is not there is told of after a few tries', async () => {
    await shop.close()
    const error = await failure(client.submit('/reports', { size: 1 }))
    expect(error).toMatchObject({ code: 'NETWORK_FAILED', status: undefined })
    expect(seen).toEqual(Array(6).fill('POST /reports cut'))
    shop = await openShop()
  })

  test('a signal ends it, also between two tries', async () => {
    const controller = new AbortController()
    const watched = traffic((line) => line.endsWith('cut') && controller.abort(new Error('enough')))
    await shop.close()
    const lost = offloadClient<Shop>({ base: shop.url, fetch: watched.fetch })
    const { signal } = controller
    expect((await failure(lost.submit('/reports', { size: 1 }, { signal }))).message).toBe('enough')
    expect(watched.seen).toHaveLength(1)
    expect((await failure(lost.submit('/reports', { size: 1 }, { signal }))).message).toBe('enough')
    expect(watched.seen).toHaveLength(1)
    shop = await openShop()
  })

  test('a callbackUrl goes along, and asks for an input that it can go into', async () => {
    const error = await failure(
      client.submit('/reports', 'text' as never, { callbackUrl: 'https://x.example' }),
    )
    expect(error.code).toBe('OPTION_INVALID')
    expect(seen).toEqual([])
    let sent: unknown
    const own = clientOf(shop.url, {
      fetch: (url, init) => {
        sent = JSON.parse(String(init.body))
        return fetch(url, init)
      },
    })
    await own.submit('/reports', { size: 1 }, { callbackUrl: 'https://x.example' })
    expect(sent).toEqual({ size: 1, callbackUrl: 'https://x.example' })
  })
})

describe('read and cancel', () => {
  test('a waiting job is cancelled, a running one asked to stop, an ended one left, one that is not there unknown', async () => {
    const waiting = await client.submit('/steps', { count: 1 })
    expect(await client.cancel(waiting)).toBe('cancelled')
    expect(await client.cancel(waiting)).toBe('ended')
    expect(await client.cancel(waiting.links.self)).toBe('ended')
    expect(await failure(client.wait(waiting))).toMatchObject({ code: 'JOB_CANCELLED', status: 409 })
    const worker = shop.queue.work()
    const running = await client.submit('/steps', { count: 1 })
    await expect.poll(async () => (await client.get(running)).state).toBe('running')
    expect(await client.cancel(running.links.self)).toBe('cancelling')
    expect(await client.cancel('/jobs/none')).toBe('unknown')
    await worker.stop()
  })

  test('a dead job is told with its reason', async () => {
    const worker = shop.queue.work()
    const job = await client.submit('/reports', { size: -1 })
    for (const error of [await failure(client.wait(job)), await failure(client.result(job))]) {
      expect(error).toMatchObject({ code: 'JOB_DEAD', status: 409, cause: { code: 'DISCARDED' } })
      expect(error.message).toContain('no report has a negative size')
    }
    expect(await client.get(job)).toMatchObject({ state: 'dead', error: { code: 'DISCARDED' } })
    await worker.stop()
  })

  test('a job that is forgotten is told as gone', async () => {
    const job = await client.submit('/reports', { size: 1 })
    await shop.queue.cancel(job.id)
    await shop.queue.close()
    await shop.app.close()
    shop = await openShop()
    const later = clientOf(shop.url)
    for (const ask of [later.wait, later.get])
      for (const it of [job, job.links.self])
        expect(await failure(ask<unknown>(it))).toMatchObject({ code: 'JOB_GONE', status: 410 })
  })

  test('a result that is long, or no JSON, is fetched from where it is', async () => {
    const worker = shop.queue.work()
    const long = await client.submit('/reports', { size: 20_000 }, { wait: '10s' })
    expect(long.result).toBeUndefined()
    expect((await client.wait(long)).text).toHaveLength(20_000)
    const picture = await client.submit('/pictures', {})
    const blob = await client.wait(picture)
    expect([blob.type, [...new Uint8Array(await blob.arrayBuffer())]]).toEqual(['image/png', [1, 2, 0, 255]])
    const response = await client.result(picture)
    expect(response.headers.get('content-disposition')).toContain('p.png')
    await response.blob()
    expect(await (await client.result(long.links.self)).json()).toMatchObject({ size: 20_000 })
    await worker.stop()
  })

  test('the result of a job that has not ended is told to be pending', async () => {
    const job = await client.submit('/reports', { size: 1 })
    expect(await failure(client.result(job))).toMatchObject({ code: 'RESULT_PENDING', status: 409 })
  })

  test('a job that was kept as JSON is the same job', async () => {
    const kept = JSON.stringify(await client.submit('/reports', { size: 1 }))
    const worker = shop.queue.work()
    const job: ClientJob<{ size: number }> = JSON.parse(kept)
    expect((await client.wait(job)).size).toBe(1)
    await worker.stop()
  })

  test('the links of jobs are followed with their signatures', async () => {
    await shop.close()
    shop = await openShop({ links: { secrets: ['a secret of 16 characters'] } })
    const signed = clientOf(shop.url)
    const job = await signed.submit('/steps', { count: 1 })
    expect(job.links.self).toContain('signature=')
    expect((await signed.get(job)).state).toBe('queued')
    expect((await failure(signed.cancel(job.links.self))).code).toBe('LINK_INVALID')
    expect(await signed.cancel(job)).toBe('cancelled')
    expect((await failure(signed.wait(job))).code).toBe('JOB_CANCELLED')
    expect(await failure(signed.get(`/jobs/${job.id}?expires=1&signature=x`))).toMatchObject({
      code: 'LINK_INVALID',
    })
  })
})

describe('where it may go', () => {
  test('nothing is sent to another origin than that of the base', async () => {
    for (const job of ['//evil.example/x', 'https://evil.example/jobs/1', '/\\evil.example', 'jobs/1', ''])
      expect((await failure(client.get(job))).code).toBe('OPTION_INVALID')
    const links = {
      self: 'https://evil.example/jobs/1',
      events: '//evil.example/e',
      cancel: '//evil.example/c',
    }
    const forged: ClientJob = { id: '1', task: 'x', queue: 'x', state: 'queued', links }
    for (const ask of [client.get, client.cancel, client.wait])
      expect((await failure(ask(forged))).code).toBe('OPTION_INVALID')
    expect(seen).toEqual([])
  })

  test('a base names the prefix of the paths', async () => {
    await shop.close()
    shop = await openShop({ accept: {} }, (app) => {
      app.post('/v1/reports', async () => ({ state: 'queued', id: 'x', links: { self: '/jobs/x' } }))
    })
    for (const base of [`${shop.url}/v1`, `${shop.url}/v1/`])
      expect((await clientOf(base).submit('/reports', { size: 1 })).id).toBe('x')
  })

  test('without a page it needs a base that is a URL', () => {
    for (const base of [undefined, '', '/v1', 'localhost', 'data:x'])
      expect(() => offloadClient(base === undefined ? {} : { base })).toThrow(/base must be a URL/)
  })

  test('headers are asked for each time, and what they throw is passed on', async () => {
    let asked = 0
    let tokens: (string | null)[] = []
    const own = clientOf(shop.url, {
      headers: async () => ({ authorization: `Bearer ${++asked}` }),
      fetch: (url, init) => {
        tokens = [...tokens, new Headers(init.headers).get('authorization')]
        return fetch(url, init)
      },
    })
    const job = await own.submit('/reports', { size: 1 })
    await own.get(job)
    expect(tokens).toEqual(['Bearer 1', 'Bearer 2'])
    const broken = clientOf(shop.url, { headers: () => Promise.reject(new Error('logged out')) })
    expect((await failure(broken.submit('/reports', { size: 1 }))).message).toBe('logged out')
    expect((await failure(broken.wait(job))).message).toBe('logged out')
  })

  test('an answer that is not of Offload is told as such, and not asked for again', async () => {
    await shop.close()
    shop = await openShop({ accept: {} }, (app) => {
      app.post('/reports', (_request, reply) => reply.type('text/html').send('<h1>Log in</h1>'))
      app.post('/steps', async () => ({ ok: true }))
      app.post('/pictures', (_request, reply) => reply.code(500).send('null'))
    })
    const other = clientOf(shop.url)
    expect(await failure(other.submit('/reports', { size: 1 }))).toMatchObject({
      code: 'HTTP_FAILED',
      status: 200,
    })
    expect(await failure(other.submit('/steps', { count: 1 }))).toMatchObject({
      code: 'HTTP_FAILED',
      status: 200,
    })
    expect(await failure(other.submit('/pictures', {}))).toMatchObject({ code: 'HTTP_FAILED', status: 500 })
    expect(seen).toHaveLength(3)
  })
})
