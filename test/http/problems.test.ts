import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import Fastify from 'fastify'
import type { Handle, Offload } from 'offload'
import { discard, OffloadError, offload, QueueFullError, task } from 'offload'
import { accepted, jobRoutes } from 'offload/http'
import { offloadFastify } from 'offload/http/fastify'
import { nodeHandler } from 'offload/http/node'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { problemOf } from '../../src/http/problem.ts'

let release = (): void => {}
const echo = task('echo', {
  input: z.object({ text: z.string() }),
  run: ({ text }) => (text === 'bad' ? discard('not wanted') : { said: text }),
})
const hold = task('hold', {
  input: z.object({}),
  run: (_input, job) =>
    new Promise<void>((done) => {
      release = done
      job.signal.addEventListener('abort', () => done())
    }),
})

let queue: Offload
let server: Server
let app: FastifyInstance
/** The same shop behind node:http and behind Fastify. */
let shops: { node: string; fastify: string }

beforeEach(async () => {
  queue = offload({ url: 'memory:', tasks: [echo, hold] })
  const routes = jobRoutes(queue)
  server = createServer(
    nodeHandler(
      async (request) => {
        if (new URL(request.url).pathname === '/broken') throw new Error('secret')
        const answer = await routes(request)
        if (answer !== undefined || request.method !== 'POST') return answer
        return accepted(await queue.enqueue(echo, (await request.json()) as { text: string }))
      },
      { bodyBytes: 1000 },
    ),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  app = Fastify()
  app.register(offloadFastify, { queue })
  app.post<{ Body: { text: string } }>('/echo', async (request, reply) =>
    reply.accepted(await queue.enqueue(echo, request.body)),
  )
  app.get('/broken', () =>
    Promise.reject(Object.assign(new Error('as Fastify tells it'), { statusCode: 418 })),
  )
  shops = {
    node: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    fastify: await app.listen({ port: 0, host: '127.0.0.1' }),
  }
})

afterEach(async () => {
  release()
  server.close()
  server.closeAllConnections()
  await app.close()
  await queue.close()
})

const post = (url: string, body: unknown): Promise<Response> =>
  fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

async function run(handle: Handle<unknown>): Promise<void> {
  const worker = queue.work()
  await handle.result().catch(() => undefined)
  await worker.stop()
}

for (const shop of ['node', 'fastify'] as const) {
  describe(`behind ${shop}`, () => {
    test('an accepted job is answered with where and when to look', async () => {
      const answer = await post(`${shops[shop]}/echo`, { text: 'hi' })
      const body = (await answer.json()) as { id: string }
      expect(answer.status).toBe(202)
      expect(answer.headers.get('location')).toBe(`/jobs/${body.id}`)
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(body).toMatchObject({
        task: 'echo',
        queue: 'default',
        state: 'queued',
        links: { self: `/jobs/${body.id}`, cancel: `/jobs/${body.id}/cancel` },
      })
    })

    test('a job reads 200 while it waits and with its result when it is done, never with its payload', async () => {
      const handle = await queue.enqueue(echo, { text: 'hi' })
      const waiting = await fetch(`${shops[shop]}/jobs/${handle.id}`)
      expect(waiting.status).toBe(200)
      expect(waiting.headers.get('retry-after')).toBe('1')
      expect(await waiting.json()).toMatchObject({ state: 'queued', attempt: 0 })
      await run(handle)
      const done = await fetch(`${shops[shop]}/jobs/${handle.id}`)
      expect(done.headers.get('retry-after')).toBeNull()
      const body = await done.json()
      expect(body).toMatchObject({
        state: 'done',
        attempt: 1,
        result: { said: 'hi' },
        endedAt: expect.any(String),
      })
      expect(body).not.toHaveProperty('payload')
    })

    test('a dead job is read with its error as a problem, without a stack', async () => {
      const handle = await queue.enqueue(echo, { text: 'bad' })
      await run(handle)
      const body = (await (await fetch(`${shops[shop]}/jobs/${handle.id}`)).json()) as { error: object }
      expect(body).toMatchObject({
        state: 'dead',
        error: { code: 'DISCARDED', type: 'urn:offload:error:discarded' },
      })
      expect(body.error).not.toHaveProperty('stack')
    })

    test('a client that has the state already gets 304', async () => {
      const { id } = await queue.enqueue(echo, { text: 'hi' })
      const etag = (await fetch(`${shops[shop]}/jobs/${id}`)).headers.get('etag') ?? ''
      const again = await fetch(`${shops[shop]}/jobs/${id}`, {
        headers: { 'if-none-match': `W/"x", ${etag}` },
      })
      expect(again.status).toBe(304)
      expect(await again.text()).toBe('')
    })

    test('a waiting job is cancelled with 200, an ended one answers 409', async () => {
      const { id } = await queue.enqueue(echo, { text: 'hi' })
      const first = await fetch(`${shops[shop]}/jobs/${id}/cancel`, { method: 'POST' })
      expect([first.status, await first.json()]).toMatchObject([200, { state: 'cancelled' }])
      expect((await fetch(`${shops[shop]}/jobs/${id}/cancel`, { method: 'POST' })).status).toBe(409)
    })

    test('a running job is cancelled with 202', async () => {
      const worker = queue.work()
      const { id } = await queue.enqueue(hold, {})
      await expect.poll(async () => (await queue.get(id))?.state).toBe('running')
      expect((await fetch(`${shops[shop]}/jobs/${id}/cancel`, { method: 'POST' })).status).toBe(202)
      await worker.stop()
    })

    test('an unknown job is a 404 problem, also to cancel', async () => {
      const read = await fetch(`${shops[shop]}/jobs/none`)
      expect(read.status).toBe(404)
      expect(read.headers.get('content-type')).toMatch(/^application\/problem\+json/)
      expect(await read.json()).toMatchObject({ code: 'JOB_NOT_FOUND', status: 404, instance: '/jobs/none' })
      expect((await fetch(`${shops[shop]}/jobs/none/cancel`, { method: 'POST' })).status).toBe(404)
      expect((await fetch(`${shops[shop]}/jobs/%00%ff`)).status).toBe(shop === 'node' ? 404 : 400)
    })

    test('another method is answered with those allowed', async () => {
      const put = await fetch(`${shops[shop]}/jobs/x`, { method: 'PUT' })
      expect([put.status, put.headers.get('allow')]).toEqual([405, 'GET, HEAD'])
      const get = await fetch(`${shops[shop]}/jobs/x/cancel`)
      expect([get.status, get.headers.get('allow')]).toEqual([405, 'POST'])
    })

    test('an input that does not fit is a 422 that names each fault', async () => {
      const answer = await post(`${shops[shop]}/echo`, { text: 7 })
      expect(answer.status).toBe(422)
      expect(await answer.json()).toMatchObject({ code: 'INPUT_INVALID', errors: [{ path: 'text' }] })
    })
  })
}

test('a handler that throws tells nothing of it behind node:http', async () => {
  const answer = await fetch(`${shops.node}/broken`)
  expect(answer.status).toBe(500)
  expect(await answer.text()).not.toContain('secret')
})

test('an error that is not of Offload passes through Fastify', async () => {
  const answer = await fetch(`${shops.fastify}/broken`)
  expect([answer.status, await answer.json()]).toMatchObject([418, { message: 'as Fastify tells it' }])
})

test('a body over the limit is refused with 413', async () => {
  const answer = await post(`${shops.node}/echo`, { text: 'x'.repeat(2000) })
  expect(answer.status).toBe(413)
})

test('a job that the request may not see reads as unknown', async () => {
  const { id } = await queue.enqueue(echo, { text: 'hi' })
  const closed = jobRoutes(queue, { authorize: () => false })
  const unknown = id.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
  const textOf = async (path: string, method = 'GET'): Promise<string | undefined> =>
    (await closed(new Request(`http://x/jobs/${path}`, { method })))?.text()
  expect((await textOf(id))?.replaceAll(id, '')).toBe((await textOf(unknown))?.replaceAll(unknown, ''))
  expect(await textOf(`${id}/cancel`, 'POST')).toContain('JOB_GONE')
  expect((await queue.get(id))?.state).toBe('queued')
})

test('a request for another path is left to others', async () => {
  const routes = jobRoutes(queue)
  expect(await routes(new Request('http://x/jobs'))).toBeUndefined()
  expect(await routes(new Request('http://x/jobs/a/b/c'))).toBeUndefined()
  expect(await routes(new Request('http://x/orders'))).toBeUndefined()
})

test('a full queue and an absent backend are 503 with a time to come back, and tell nothing of the inside', () => {
  expect(problemOf(new QueueFullError('mail', 5))).toMatchObject({
    status: 503,
    headers: { 'retry-after': '1' },
    body: { type: 'urn:offload:error:queue-full', code: 'QUEUE_FULL' },
  })
  expect(JSON.stringify(problemOf(new QueueFullError('mail', 5)))).not.toContain('mail')
  expect(new QueueFullError('mail', 500, 'bytes').message).toMatch(/500 bytes .* raise limits\.waitingBytes$/)
})

test('whatever else is thrown is a 500 without a word about it', () => {
  for (const thrown of [new Error('secret'), new OffloadError('RESULT_INVALID', 'secret'), 'secret', null]) {
    const problem = problemOf(thrown)
    expect(problem.status).toBe(500)
    expect(JSON.stringify(problem)).not.toContain('secret')
  }
})
