import { describe, expect, test } from 'vitest'
import { matches } from '../../src/http/status.ts'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold, long, release } from './tasks.ts'

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('a job reads 200 in every state, never 204 or 404 while it is pending', async () => {
      const shop = await openShop(door)
      const handle = await shop.queue.enqueue(hold, {})
      const read = async (): Promise<[unknown, string | null]> => {
        const answer = await shop.fetch(`/jobs/${handle.id}`)
        const { headers } = answer
        return [(await json(answer)).state, headers.get('retry-after')]
      }
      expect(await read()).toEqual(['queued', '1'])
      shop.queue.work()
      await expect.poll(read).toEqual(['running', '1'])
      release()
      await handle.result()
      expect(await read()).toEqual(['done', null])
      const later = await shop.queue.enqueue(echo, { text: 'a' }, { delay: '1h' })
      expect(await json(await shop.fetch(`/jobs/${later.id}`))).toMatchObject({ state: 'scheduled' })
    })

    test('a finished job is read with its result, its times and where its result is', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      const body = await json(await shop.fetch(`/jobs/${id}`))
      const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/)
      expect(body).toEqual({
        id,
        task: 'echo',
        queue: 'default',
        state: 'done',
        attempt: 1,
        maxAttempts: expect.any(Number),
        createdAt: time,
        startedAt: time,
        endedAt: time,
        result: { said: 'hi' },
        links: { self: `/jobs/${id}`, events: `/jobs/${id}/events`, result: `/jobs/${id}/result` },
      })
    })

    test('a failed job is a 200 with a problem as its error, without a stack', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'bad' })
      await shop.run(id)
      const body = await json<{ error: object }>(await shop.fetch(`/jobs/${id}`))
      expect(body).toMatchObject({ state: 'dead' })
      expect(body.error).toEqual({
        type: 'urn:offload:error:discarded',
        title: expect.any(String),
        detail: 'not wanted',
        code: 'DISCARDED',
      })
    })

    test('a long result is told by its address', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(long, {})
      await shop.run(id)
      const body = await json(await shop.fetch(`/jobs/${id}`))
      expect(body).not.toHaveProperty('result')
      expect(body.resultUrl).toBe(`/jobs/${id}/result`)
      expect(await json(await shop.fetch(String(body.resultUrl)))).toBe('x'.repeat(20_000))
    })

    test('progress is read while the job runs', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const claim = await shop.claim()
      await shop.ledger.renew([{ claim, progress: '{"step":2}' }], 60_000)
      expect(await json(await shop.fetch(`/jobs/${id}`))).toMatchObject({
        state: 'running',
        progress: { step: 2 },
      })
    })

    test('a client that has this state gets 304 without a body: by the tag, a weak tag, a list or *', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      const first = await shop.fetch(`/jobs/${id}`)
      const etag = first.headers.get('etag') ?? ''
      expect(etag).toMatch(/^"[\w-]{22}"$/)
      expect(first.headers.get('cache-control')).toBe('private, no-cache')
      for (const tag of [etag, `W/${etag}`, `"a", W/"b" , ${etag}`, '*']) {
        const again = await shop.fetch(`/jobs/${id}`, { headers: { 'if-none-match': tag } })
        expect([again.status, await again.text(), again.headers.get('etag')]).toEqual([304, '', etag])
        expect(again.headers.get('retry-after')).toBe('1')
      }
      for (const tag of ['"other"', etag.slice(1, -1), ''])
        expect((await shop.fetch(`/jobs/${id}`, { headers: { 'if-none-match': tag } })).status).toBe(200)
      await shop.run(id)
      const changed = await shop.fetch(`/jobs/${id}`, { headers: { 'if-none-match': etag } })
      expect(changed.status).toBe(200)
      expect(changed.headers.get('etag')).not.toBe(etag)
    })

    test('HEAD answers as GET does, without the body', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      const get = await shop.fetch(`/jobs/${id}`)
      const head = await shop.fetch(`/jobs/${id}`, { method: 'HEAD' })
      expect([head.status, await head.text()]).toEqual([200, ''])
      for (const name of ['etag', 'content-type', 'cache-control', 'retry-after'])
        expect(plain(head.headers.get(name))).toBe(plain(get.headers.get(name)))
      const length = head.headers.get('content-length')
      expect([null, get.headers.get('content-length')]).toContain(length)
    })

    test('a job that is no longer remembered is a 410, an id that never was one of ours a 404', async () => {
      const shop = await openShop(door, {}, { retention: { ended: '1ms', endedCount: 1 } })
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      await expect.poll(async () => shop.queue.get(id), { timeout: 15_000 }).toBeUndefined()
      expect(await problem(await shop.fetch(`/jobs/${id}`), 410, 'JOB_GONE')).toMatchObject({
        instance: `/jobs/${id}`,
        retryable: false,
      })
      for (const path of ['', '/result', '/events'])
        expect((await shop.fetch(`/jobs/${id}${path}`)).status).toBe(410)
      expect((await shop.fetch(`/jobs/${id}/cancel`, { method: 'POST' })).status).toBe(410)
      for (const never of ['none', '%00', '%ff', 'a%2fb', '-x', 'x'.repeat(201)])
        expect([400, 404]).toContain((await shop.fetch(`/jobs/${never}`)).status)
      await problem(await shop.fetch('/jobs/none'), 404, 'JOB_NOT_FOUND')
    })
  })

/** Fastify names the charset only of a body that it sends. */
const plain = (value: string | null): string | undefined => value?.replace('; charset=utf-8', '')

test('If-None-Match is compared weakly', () => {
  expect(matches('W/"a"', '"a"')).toBe(true)
  expect(matches(' "b" ,W/"a"', '"a"')).toBe(true)
  expect(matches(' * ', '"a"')).toBe(true)
  expect(matches('"aa"', '"a"')).toBe(false)
  expect(matches('a', '"a"')).toBe(false)
  expect(matches('', '"a"')).toBe(false)
})
