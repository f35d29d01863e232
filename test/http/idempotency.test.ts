import { once } from 'node:events'
import express from 'express'
import Fastify from 'fastify'
import { idempotency } from 'offload/http'
import { offloadErrors, offloadExpress } from 'offload/http/express'
import { offloadFastify } from 'offload/http/fastify'
import { describe, expect, onTestFinished, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold, release } from './tasks.ts'

const accept = { '/echo': echo, '/hold': hold }
const key = (value: string): Record<string, string> => ({ 'idempotency-key': value })

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('the same request again is answered with the first job, and said to be replayed', async () => {
      const shop = await openShop(door, { accept })
      const first = await shop.post('/echo', { text: 'a' }, key('"one"'))
      expect(first.headers.has('idempotent-replayed')).toBe(false)
      const job = await json<{ id: string }>(first, 202)
      for (const header of ['"one"', 'one', ' "one" ']) {
        const again = await shop.post('/echo', { text: 'a' }, key(header))
        expect(again.headers.get('idempotent-replayed')).toBe('true')
        expect(await json(again, 202)).toEqual(job)
      }
      await shop.run(job.id)
      expect(await json(await shop.post('/echo', { text: 'a' }, key('"one"')), 202)).toEqual(job)
      expect((await shop.queue.find()).jobs).toHaveLength(1)
    })

    test('requests that race under one key are one job', async () => {
      const shop = await openShop(door, { accept })
      const answers = await Promise.all(
        Array.from({ length: 20 }, () => shop.post('/echo', { text: 'a' }, key('"race"'))),
      )
      const ids = new Set<string>()
      for (const answer of answers) {
        if (answer.status === 409) {
          expect(answer.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
          expect(await problem(answer, 409, 'IDEMPOTENCY_IN_USE')).toMatchObject({ retryable: true })
        } else ids.add((await json<{ id: string }>(answer, 202)).id)
      }
      expect(ids.size).toBe(1)
      expect((await shop.queue.find()).jobs).toHaveLength(1)
    })

    test('while the first request is being answered, the second gets 409 with Retry-After', async () => {
      const shop = await openShop(door, { accept })
      shop.queue.work()
      const first = shop.post('/hold', {}, { ...key('"k"'), prefer: 'wait=60' })
      await expect.poll(async () => (await shop.queue.find({ state: 'running' })).jobs.length).toBe(1)
      const second = await shop.post('/hold', {}, key('"k"'))
      expect(second.headers.get('retry-after')).toBe('1')
      await problem(second, 409, 'IDEMPOTENCY_IN_USE')
      release()
      const done = await json(await first)
      const third = await shop.post('/hold', {}, { ...key('"k"'), prefer: 'wait=60' })
      expect(third.headers.get('idempotent-replayed')).toBe('true')
      expect(await json(third)).toEqual(done)
    })

    test('another body under the same key is a 422, and queues nothing', async () => {
      const shop = await openShop(door, { accept })
      await shop.post('/echo', { text: 'a' }, key('"one"'))
      const body = await problem(
        await shop.post('/echo', { text: 'b' }, key('"one"')),
        422,
        'IDEMPOTENCY_MISMATCH',
      )
      const [first] = (await shop.queue.find()).jobs
      expect(JSON.stringify(body)).not.toContain(first?.id)
      expect(body.retryable).toBe(false)
      expect((await shop.queue.find()).jobs).toHaveLength(1)
    })

    test('the order of the keys of a body does not count', async () => {
      const shop = await openShop(door, { accept })
      const first = await json(
        await shop.post('/echo', { text: 'a', more: { x: 1, y: 2 } }, key('"one"')),
        202,
      )
      expect(
        await json(await shop.post('/echo', { more: { y: 2, x: 1 }, text: 'a' }, key('"one"')), 202),
      ).toEqual(first)
    })

    test('a key that is missing where it is required, or cannot be read, is a 400', async () => {
      const shop = await openShop(door, { accept: { '/echo': { task: echo, idempotency: 'required' } } })
      await problem(await shop.post('/echo', { text: 'a' }), 400, 'IDEMPOTENCY_KEY_MISSING')
      for (const bad of ['""', '"one', 'a b', 'one, two', '"one", "two"', `"${'k'.repeat(256)}"`, '"ü"'])
        await problem(await shop.post('/echo', { text: 'a' }, key(bad)), 400, 'IDEMPOTENCY_KEY_INVALID')
      for (const good of [
        `"${'k'.repeat(255)}"`,
        '"a b, \\"c\\" \\\\"',
        '8e03978e-40d5-43dd-bc93-6894a57f9324',
      ])
        expect((await shop.post('/echo', { text: 'a' }, key(good))).status).toBe(202)
    })

    test('a route can leave the header alone', async () => {
      const shop = await openShop(door, { accept: { '/echo': { task: echo, idempotency: 'off' } } })
      for (let n = 0; n < 2; n++)
        expect((await shop.post('/echo', { text: 'a' }, key('"one"'))).status).toBe(202)
      expect((await shop.queue.find()).jobs).toHaveLength(2)
    })

    test('a refused request does not use its key up', async () => {
      const shop = await openShop(door, { accept }, { limits: { waiting: 1 } })
      await problem(await shop.post('/echo', { text: 7 }, key('"one"')), 422, 'INPUT_INVALID')
      const first = await json<{ id: string }>(await shop.post('/echo', { text: 'a' }, key('"one"')), 202)
      await problem(await shop.post('/echo', { text: 'b' }, key('"two"')), 503, 'QUEUE_FULL')
      expect((await shop.post('/echo', { text: 'a' }, key('"one"'))).status).toBe(202)
      await shop.run(first.id)
      expect((await shop.post('/echo', { text: 'c' }, key('"two"'))).status).toBe(202)
    })

    test('a key counts for one route and one tenant', async () => {
      const shop = await openShop(door, {
        accept: { '/echo': echo, '/say': echo },
        tenant: (request) => request.headers.get('x-tenant') ?? undefined,
      })
      const ids = new Set<unknown>()
      for (const path of ['/echo', '/say'])
        for (const tenant of ['a', 'b', 'a'])
          ids.add(
            (await json(await shop.post(path, { text: 'a' }, { ...key('"one"'), 'x-tenant': tenant }), 202))
              .id,
          )
      expect(ids.size).toBe(4)
    })

    test('a replay tells another tenant nothing', async () => {
      const shop = await openShop(door, {
        accept,
        tenant: (request) => request.headers.get('x-tenant') ?? undefined,
      })
      await shop.post('/echo', { text: 'a' }, { ...key('"one"'), 'x-tenant': 'a' })
      const other = await shop.post('/echo', { text: 'b' }, { ...key('"one"'), 'x-tenant': 'b' })
      expect([other.status, other.headers.get('idempotent-replayed')]).toEqual([202, null])
    })
  })

test('request.idempotency() of Fastify and Express: the key counts for one path, and without a body the payload counts', async () => {
  const shop = await openShop('web')
  const { queue } = shop
  const fastify = Fastify()
  fastify.register(offloadFastify, { queue })
  fastify.post<{ Params: { id: string }; Querystring: { text: string } }>(
    '/orders/:id',
    async (request, reply) =>
      reply.accepted(
        await queue.enqueue(echo, { text: request.query.text }, { ...request.idempotency('required') }),
      ),
  )
  const app = express()
  app.use(offloadExpress(queue))
  app.post('/goods/:id', async (req, res) =>
    res.accepted(
      await queue.enqueue(echo, { text: String(req.query.text) }, { ...req.idempotency('required') }),
    ),
  )
  app.use(offloadErrors)
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.close()
    await fastify.close()
  })
  const { port } = server.address() as { port: number }
  const bases = [
    `${await fastify.listen({ port: 0, host: '127.0.0.1' })}/orders`,
    `http://127.0.0.1:${port}/goods`,
  ]
  for (const base of bases) {
    const post = (path: string, headers: Record<string, string> = key('"one"')): Promise<Response> =>
      fetch(base + path, { method: 'POST', headers })
    const first = await json<{ id: string }>(await post('/1?text=a'), 202)
    expect(await json(await post('/1?text=a'), 202)).toEqual(first)
    expect((await json(await post('/2?text=a'), 202)).id).not.toBe(first.id)
    await problem(await post('/1?text=b'), 422, 'IDEMPOTENCY_MISMATCH')
    await problem(await post('/1?text=a', {}), 400, 'IDEMPOTENCY_KEY_MISSING')
  }
})

test('idempotency() of a web-standard request makes what enqueue() needs', () => {
  const request = (headers: Record<string, string>): Request =>
    new Request('http://shop/pay?x=1', { method: 'POST', headers })
  expect(idempotency(request({}), {})).toBeUndefined()
  expect(() => idempotency(request({}), {}, 'required')).toThrow(
    expect.objectContaining({ code: 'IDEMPOTENCY_KEY_MISSING' }),
  )
  const [one, same, other] = [
    { a: 1, b: [2] },
    { b: [2], a: 1 },
    { a: 1, b: [3] },
  ].map((body) => idempotency(request(key('"k"')), body))
  expect(one).toMatchObject({ idempotencyKey: 'POST /pay k' })
  expect(same).toEqual(one)
  expect(other?.fingerprint).not.toBe(one?.fingerprint)
})
