import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo } from './tasks.ts'

const accept = { '/echo': echo }

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('an accepted job is answered with 202, where to look, when to look, and the job', async () => {
      const shop = await openShop(door, { accept })
      const answer = await shop.post('/echo', { text: 'hi' })
      const { headers } = answer
      const body = await json<{ id: string }>(answer, 202)
      const self = `/jobs/${body.id}`
      expect(headers.get('location')).toBe(self)
      expect(headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      expect(headers.get('cache-control')).toBe('no-store')
      expect(headers.get('vary')).toContain('Prefer')
      expect(headers.get('content-length')).toMatch(/^\d+$/)
      expect(headers.has('idempotent-replayed')).toBe(false)
      expect(headers.has('preference-applied')).toBe(false)
      expect(body).toEqual({
        id: expect.stringMatching(/^[0-9a-z]{30}$/),
        task: 'echo',
        queue: 'default',
        state: 'queued',
        links: { self, events: `${self}/events`, cancel: `${self}/cancel` },
      })
      expect(await shop.queue.get(body.id)).toMatchObject({ payload: { text: 'hi' }, state: 'queued' })
    })

    test('where the server is told how it is reached, the 202 has the whole address of the job', async () => {
      const shop = await openShop(door, { accept, origin: 'https://api.example.com' })
      const { headers } = await shop.post('/echo', { text: 'hi' })
      expect(headers.get('operation-location')).toBe(`https://api.example.com${headers.get('location')}`)
      const plain = await openShop(door, { accept })
      expect((await plain.post('/echo', { text: 'hi' })).headers.has('operation-location')).toBe(false)
    })

    test('the job is accepted before it is answered: 202 never names a job that is unknown', async () => {
      const shop = await openShop(door, { accept })
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, n) => shop.post('/echo', { text: String(n) })),
      )
      for (const [n, answer] of answers.entries()) {
        const read = await json(await shop.fetch(answer.headers.get('location') ?? ''))
        expect(read).toMatchObject({ state: 'queued' })
        expect((await shop.queue.get(String(read.id)))?.payload).toEqual({ text: String(n) })
      }
    })

    test('an input that does not fit is a 422 that names each fault, and nothing is queued', async () => {
      const shop = await openShop(door, { accept, list: () => true })
      const body = await problem(await shop.post('/echo', { text: 7 }), 422, 'INPUT_INVALID')
      expect(body).toMatchObject({
        errors: [{ path: 'text', detail: expect.any(String) }],
        instance: '/echo',
        retryable: false,
      })
      expect(await json(await shop.fetch('/jobs'))).toEqual({ jobs: [] })
    })

    test('a body that is no usable JSON is a 400 that says why', async () => {
      const shop = await openShop(door, { accept })
      const post = (body: string | Uint8Array<ArrayBuffer>): Promise<Response> =>
        shop.fetch('/echo', { method: 'POST', headers: { 'content-type': 'application/json' }, body })
      // express.json() in front of the routes refuses by its own rules, and forgets how often a key came.
      if (door === 'express with express.json()') return expect((await post('{"text"')).status).toBe(400)
      const bodies: [string | Uint8Array<ArrayBuffer>, string][] = [
        ['{"text"', 'no JSON'],
        ['', 'empty'],
        ['{"text":"a","text":"b"}', 'twice'],
        ['{"text":"a","__proto__":{"x":1}}', '__proto__'],
        [`${'['.repeat(101)}${']'.repeat(101)}`, 'nesting'],
        [Uint8Array.of(0x22, 0xff, 0x22), 'UTF-8'],
      ]
      for (const [body, why] of bodies)
        expect((await problem(await post(body), 400, 'BODY_INVALID')).detail).toContain(why)
    })

    test('a number that JSON cannot carry on is refused, not changed', async () => {
      const shop = await openShop(door, { accept })
      const answer = await shop.fetch('/echo', {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: '{"text":"a","more":1e999}',
      })
      expect(answer.status).toBeGreaterThanOrEqual(400)
      expect(answer.status).toBeLessThan(500)
    })

    test('a body of another type is a 415, and so is one without a type', async () => {
      const shop = await openShop(door, { accept })
      for (const type of [
        'text/plain',
        'application/x-www-form-urlencoded',
        'application/json; charset=latin1',
      ])
        await problem(
          await shop.fetch('/echo', {
            method: 'POST',
            headers: { 'content-type': type },
            body: '{"text":"a"}',
          }),
          415,
          door === 'express with express.json()' && type.includes('latin1')
            ? undefined
            : 'CONTENT_TYPE_UNSUPPORTED',
        ).catch((error: unknown) => {
          if (door !== 'express with express.json()') throw error
        })
      await problem(
        await shop.fetch('/echo', { method: 'POST', body: new TextEncoder().encode('{"text":"a"}') }),
        415,
        'CONTENT_TYPE_UNSUPPORTED',
      )
    })

    test('JSON of a type of its own is taken, with or without a charset', async () => {
      const shop = await openShop(door, { accept })
      for (const type of [
        'application/json; charset=utf-8',
        'application/json;charset="UTF-8"',
        'application/vnd.shop.v1+json',
      ])
        expect((await shop.post('/echo', { text: 'hi' }, { 'content-type': type })).status).toBe(202)
    })

    test('a body over the limit is refused with 413, whether or not it says its length', async () => {
      const shop = await openShop(door, { accept, bodyBytes: 1000 })
      const long = JSON.stringify({ text: 'x'.repeat(2000) })
      const chunked = new ReadableStream({
        start(controller) {
          controller.enqueue(new TextEncoder().encode(long))
          controller.close()
        },
      })
      const init = { method: 'POST', headers: { 'content-type': 'application/json' } }
      // express.json() has its own limit.
      if (door === 'express with express.json()') return
      await problem(await shop.fetch('/echo', { ...init, body: long }), 413, 'BODY_TOO_LARGE')
      await problem(
        await shop.fetch('/echo', { ...init, body: chunked, duplex: 'half' }),
        413,
        'BODY_TOO_LARGE',
      )
      expect((await shop.post('/echo', { text: 'x'.repeat(900) })).status).toBe(202)
    })

    test('a full queue answers 503 with Retry-After at once', async () => {
      const shop = await openShop(door, { accept }, { limits: { waiting: 1 } })
      expect((await shop.post('/echo', { text: 'a' })).status).toBe(202)
      const answer = await shop.post('/echo', { text: 'b' })
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(await problem(answer, 503, 'QUEUE_FULL')).toMatchObject({ retryable: true })
    })

    test('a queue whose bytes are used up answers 503 with Retry-After, and takes what still fits', async () => {
      const shop = await openShop(door, { accept }, { limits: { payloadBytes: 40, waitingBytes: 50 } })
      expect((await shop.post('/echo', { text: 'x'.repeat(20) })).status).toBe(202)
      const answer = await shop.post('/echo', { text: 'x'.repeat(20) })
      expect(answer.headers.get('retry-after')).toBe('1')
      expect(await problem(answer, 503, 'QUEUE_FULL')).toMatchObject({ retryable: true })
      expect((await shop.post('/echo', { text: 'x' })).status).toBe(202)
    })

    test('a backend that is away answers 503 with Retry-After, and nothing of the inside', async () => {
      const shop = await openShop(door, { accept })
      await shop.queue.close()
      const answer = await shop.post('/echo', { text: 'a' })
      expect(answer.headers.get('retry-after')).toBe('5')
      expect(await problem(answer, 503)).not.toHaveProperty('detail')
    })

    test('a trace context travels with the job; one that cannot be read is dropped, its state too', async () => {
      const shop = await openShop(door, { accept })
      const traceOf = async (headers: Record<string, string>): Promise<unknown> => {
        const { id } = await json<{ id: string }>(await shop.post('/echo', { text: 'a' }, headers), 202)
        return (await shop.queue.get(id))?.trace
      }
      const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'
      const state = `rojo=00f067aa0ba902b7,congo=${'t'.repeat(480)}`
      expect(await traceOf({ traceparent })).toEqual({ traceparent })
      expect(await traceOf({ traceparent, tracestate: state })).toEqual({ traceparent, tracestate: state })
      expect(
        await traceOf({ traceparent, tracestate: Array.from({ length: 33 }, (_, n) => `k${n}=v`).join() }),
      ).toEqual({
        traceparent,
      })
      for (const bad of [
        traceparent.toUpperCase(),
        `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
        `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
        `ff${traceparent.slice(2)}`,
        'nonsense',
      ])
        expect(await traceOf({ traceparent: bad, tracestate: state })).toBeUndefined()
      expect(await traceOf({ tracestate: state })).toBeUndefined()
    })

    test('a route says what else its jobs are told, from an input that fits', async () => {
      const options = (input: { text: string }): { priority: number; key: string } => ({
        priority: 9,
        key: input.text.toUpperCase(),
      })
      const shop = await openShop(door, { accept: { '/echo': { task: echo, options, retryAfter: 2.5 } } })
      const answer = await shop.post('/echo', { text: 'a' })
      expect(answer.headers.get('retry-after')).toBe('3')
      const { id } = await json<{ id: string }>(answer, 202)
      expect(await shop.queue.get(id)).toMatchObject({ priority: 9, key: 'A' })
      await problem(await shop.post('/echo', {}), 422, 'INPUT_INVALID')
    })

    test('no answer shows what a job carries inside: payload, key, tenant, trace, worker', async () => {
      const shop = await openShop(door, {
        accept: { '/echo': { task: echo, options: () => ({ key: 'k-secret' }) } },
      })
      const { id } = await json<{ id: string }>(await shop.post('/echo', { text: 'p-secret' }), 202)
      const text = await (await shop.fetch(`/jobs/${id}`)).text()
      expect(text).not.toContain('secret')
    })
  })
