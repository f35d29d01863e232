import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold } from './tasks.ts'

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('a waiting job is cancelled with 200, and answers 409 from then on', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      const cancel = (): Promise<Response> => shop.fetch(`/jobs/${id}/cancel`, { method: 'POST' })
      expect(await json(await cancel())).toEqual({
        id,
        state: 'cancelled',
        links: { self: `/jobs/${id}`, events: `/jobs/${id}/events` },
      })
      await problem(await cancel(), 409, 'JOB_ENDED')
      expect((await shop.queue.get(id))?.state).toBe('cancelled')
    })

    test('a running job is asked to stop with 202, and told where it is seen to', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const claim = await shop.claim()
      const answer = await shop.fetch(`/jobs/${id}/cancel`, { method: 'POST' })
      expect([answer.headers.get('location'), answer.headers.get('retry-after')]).toEqual([
        `/jobs/${id}`,
        '1',
      ])
      expect(await json(answer, 202)).toMatchObject({ id, state: 'running', cancelling: true })
      expect(await json(await shop.fetch(`/jobs/${id}`))).toMatchObject({
        state: 'running',
        cancelling: true,
      })
      expect(await shop.ledger.renew([{ claim }], 60_000)).toEqual(['cancelled'])
    })

    test('a job that has ended is a 409, one that is unknown a 404', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      await problem(await shop.fetch(`/jobs/${id}/cancel`, { method: 'POST' }), 409, 'JOB_ENDED')
      await problem(await shop.fetch('/jobs/none/cancel', { method: 'POST' }), 404, 'JOB_NOT_FOUND')
    })

    test('a cancel may come with a body of any type, which is not looked at', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      const answer = await shop.fetch(`/jobs/${id}/cancel`, { method: 'POST', body: 'please' })
      expect(answer.status).toBe(200)
    })
  })
