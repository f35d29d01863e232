import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo } from './tasks.ts'

const accept = { '/echo': { task: echo, batch: 3 } }
const item = (text: unknown, idempotencyKey?: unknown): object => ({
  input: { text },
  ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
})

interface Batch {
  readonly items: { status: number; job?: { id: string }; problem?: { code: string }; replayed?: boolean }[]
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('each item of a batch has its own answer, in order', async () => {
      const shop = await openShop(door, { accept })
      const answer = await shop.post('/echo/batch', { items: [item('a'), item(7), item('b')] })
      expect(answer.headers.get('cache-control')).toBe('no-store')
      const { items } = await json<Batch>(answer, 207)
      expect(items).toMatchObject([
        { status: 202, job: { state: 'queued', links: {} } },
        { status: 422, problem: { code: 'INPUT_INVALID', errors: [{ path: 'text' }] } },
        { status: 202, job: { state: 'queued' } },
      ])
      const payloads = await Promise.all(
        [items[0], items[2]].map(async (one) => (await shop.queue.get(one?.job?.id ?? ''))?.payload),
      )
      expect(payloads).toEqual([{ text: 'a' }, { text: 'b' }])
    })

    test('a batch that is sent again is accepted once', async () => {
      const shop = await openShop(door, { accept })
      const body = { items: [item('a', '"1"'), item('b', '2'), item('a', '"1"')] }
      const first = await json<Batch>(await shop.post('/echo/batch', body), 207)
      expect(first.items.map(({ status, replayed }) => [status, replayed])).toEqual([
        [202, undefined],
        [202, undefined],
        [202, true],
      ])
      const again = await json<Batch>(await shop.post('/echo/batch', body), 207)
      expect(again.items.map(({ job, replayed }) => [job, replayed])).toEqual(
        first.items.map(({ job }) => [job, true]),
      )
      const mixed = { items: [item('c', '"1"'), item('d', 'x y'), item('e', '3')] }
      const { items } = await json<Batch>(await shop.post('/echo/batch', mixed), 207)
      expect(items.map(({ status, problem: fault }) => [status, fault?.code])).toEqual([
        [422, 'IDEMPOTENCY_MISMATCH'],
        [400, 'IDEMPOTENCY_KEY_INVALID'],
        [202, undefined],
      ])
      expect((await shop.queue.find()).jobs).toHaveLength(3)
    })

    test('a queue that fills takes what it can, and a full one answers 503 for all', async () => {
      const shop = await openShop(door, { accept }, { limits: { waiting: 2 } })
      const some = await json<Batch>(
        await shop.post('/echo/batch', { items: [item('a'), item('b'), item('c')] }),
        207,
      )
      expect(some.items.map(({ status }) => status)).toEqual([202, 202, 503])
      const none = await shop.post('/echo/batch', { items: [item('d'), item('e')] })
      expect(none.headers.get('retry-after')).toBe('1')
      await problem(none, 503, 'QUEUE_FULL')
    })

    test('a body that is no batch, or too long a one, is a 422', async () => {
      const shop = await openShop(door, { accept })
      const bodies = [
        {},
        { items: {} },
        { items: [{ text: 'a' }] },
        { items: [item('a', 7)] },
        { items: [null] },
        { items: Array.from({ length: 4 }, () => item('a')) },
        [],
      ]
      for (const body of bodies)
        expect(
          (await problem(await shop.post('/echo/batch', body), 422, 'INPUT_INVALID')).errors,
        ).toHaveLength(1)
      expect((await shop.queue.find()).jobs).toEqual([])
      expect(await json(await shop.post('/echo/batch', { items: [] }), 207)).toEqual({ items: [] })
    })

    test('a route takes no batches unless it is told to', async () => {
      const shop = await openShop(door, { accept: { '/echo': echo } })
      expect((await shop.post('/echo/batch', { items: [item('a')] })).status).toBe(404)
    })
  })
