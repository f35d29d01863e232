import type { Claim } from 'offload'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { everyDoor, everyServer } from './doors.ts'
import type { Shop } from './shop.ts'
import { openShop, problem } from './shop.ts'
import { EventReader } from './sse.ts'
import { echo, hold } from './tasks.ts'

const listen = async (shop: Shop, id: string, after?: number): Promise<EventReader> =>
  new EventReader(
    await shop.fetch(`/jobs/${id}/events`, {
      headers: after === undefined ? {} : { 'last-event-id': String(after) },
    }),
  )

/** Tells so many steps of a running job. */
async function progress(shop: Shop, claim: Claim, from: number, to: number, pad = ''): Promise<void> {
  for (let step = from; step <= to; step++)
    await shop.ledger.renew([{ claim, progress: JSON.stringify({ step, pad }) }], 60_000)
}

const finish = (shop: Shop, claim: Claim): Promise<readonly boolean[]> =>
  shop.ledger.settle([{ claim, type: 'done', result: '"fine"' }])

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('a stream tells how the job stands, then all that happens to it, and ends with the job', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const answer = await shop.fetch(`/jobs/${id}/events`, { headers: { accept: 'text/event-stream' } })
      expect(answer.status).toBe(200)
      expect(answer.headers.get('content-type')).toBe('text/event-stream')
      expect(answer.headers.get('cache-control')).toBe('no-store')
      expect(answer.headers.get('x-accel-buffering')).toBe('no')
      const events = new EventReader(answer)
      const first = await events.next()
      expect(first).toMatchObject({ event: 'state', retry: 3000, data: { id, state: 'queued', links: {} } })
      const claim = await shop.claim()
      await progress(shop, claim, 1, 2)
      await finish(shop, claim)
      const rest = await events.rest()
      expect(rest.map(({ event }) => event)).toEqual(['started', 'progress', 'progress', 'done'])
      expect(rest.map(({ data }) => data.result ?? data.progress)).toEqual([
        undefined,
        { step: 1, pad: '' },
        { step: 2, pad: '' },
        'fine',
      ])
      expect(rest[0]?.data).toMatchObject({
        id,
        type: 'started',
        attempt: 1,
        at: expect.stringMatching(/Z$/),
      })
      const ids = [first, ...rest].map((event) => event?.id ?? 0)
      expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b))
    })

    test('a client that comes back goes on after the last event it saw: by header or by query', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const events = await listen(shop, id)
      await events.next()
      const claim = await shop.claim()
      await progress(shop, claim, 1, 1)
      await events.next()
      const last = await events.next()
      expect(last).toMatchObject({ event: 'progress', data: { progress: { step: 1 } } })
      await events.leave()
      await progress(shop, claim, 2, 3)
      const byHeader = await listen(shop, id, last?.id)
      const byQuery = new EventReader(await shop.fetch(`/jobs/${id}/events?lastEventId=${last?.id}`))
      await finish(shop, claim)
      for (const again of [byHeader, byQuery]) {
        const rest = await again.rest()
        expect(rest.map(({ event, data }) => [event, data.progress])).toEqual([
          ['progress', { step: 2, pad: '' }],
          ['progress', { step: 3, pad: '' }],
          ['done', { step: 3, pad: '' }],
        ])
        expect(rest[0]?.retry).toBe(3000)
      }
    })

    test('a client that has seen the end is told to stop with 204, one that has not sees it once', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
      await shop.run(id)
      const fresh = await (await listen(shop, id)).rest()
      expect(fresh).toMatchObject([{ event: 'state', data: { state: 'done', result: { said: 'hi' } } }])
      const after = fresh[0]?.id ?? 0
      const missed = await (await listen(shop, id, after - 1)).rest()
      expect(missed).toMatchObject([{ event: 'done', data: { state: 'done' } }])
      const stop = await shop.fetch(`/jobs/${id}/events`, { headers: { 'last-event-id': String(after) } })
      expect([stop.status, await stop.text(), stop.headers.get('cache-control')]).toEqual([
        204,
        '',
        'no-store',
      ])
    })

    test('where events in between are gone, the stream begins anew with reset', async () => {
      const shop = await openShop(door, {}, { retention: { events: '1h', eventsCount: 2 } })
      const { id } = await shop.queue.enqueue(hold, {})
      const claim = await shop.claim()
      await progress(shop, claim, 1, 20)
      const isGone = async (): Promise<boolean> => {
        const stop = new AbortController()
        for await (const [first] of shop.ledger.watch(1, stop.signal)) {
          stop.abort()
          return first?.type === 'gap'
        }
        return false
      }
      await expect.poll(isGone, { timeout: 20_000 }).toBe(true)
      const events = await listen(shop, id, 1)
      const first = await events.next()
      expect(first).toMatchObject({
        event: 'reset',
        retry: 3000,
        data: { id, state: 'running', progress: { step: 20 } },
      })
      await progress(shop, claim, 21, 21)
      await finish(shop, claim)
      expect((await events.rest()).map(({ event }) => event)).toEqual(['progress', 'done'])
    })

    test('a Last-Event-ID that is no number, or still to come, does not keep the client from hearing', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const ahead = await listen(shop, id, 999_999_999)
      expect(await ahead.next()).toMatchObject({ event: 'reset', data: { state: 'queued' } })
      const nonsense = new EventReader(await shop.fetch(`/jobs/${id}/events?lastEventId=abc`))
      expect(await nonsense.next()).toMatchObject({ event: 'state' })
      const events = await listen(shop, id, 1)
      await finish(shop, await shop.claim())
      for (const each of [ahead, nonsense, events])
        expect((await each.rest()).map(({ event }) => event)).toEqual(['started', 'done'])
    })

    test('a job that fails and is tried again is followed to its end', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(echo, { text: 'bad' })
      const events = await listen(shop, id)
      await shop.run(id)
      expect((await events.rest()).map(({ event }) => event)).toEqual(['state', 'started', 'dead'])
      const handle = await shop.queue.enqueue(echo, { text: 'hi' })
      const cancelled = await listen(shop, handle.id)
      await handle.cancel()
      expect((await cancelled.rest()).at(-1)).toMatchObject({
        event: 'cancelled',
        data: { state: 'cancelled' },
      })
    })

    test('a silent stream has a comment every 15 seconds', async () => {
      vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
      onTestFinished(() => void vi.useRealTimers())
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const events = await listen(shop, id)
      await events.next()
      for (let beat = 0; beat < 2; beat++) {
        vi.advanceTimersByTime(15_000)
        await events.comment()
      }
      await events.leave()
    })

    test('500 clients follow a job, and the ledger is watched once', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const claim = await shop.claim()
      const readers = await Promise.all(
        Array.from({ length: 500 }, (_, n) => listen(shop, id, n % 2 === 0 ? undefined : 1)),
      )
      expect(shop.watches()).toBeLessThanOrEqual(2)
      await progress(shop, claim, 1, 1)
      const watched = shop.watches()
      await finish(shop, claim)
      const all = await Promise.all(readers.map((reader) => reader.rest()))
      expect(shop.watches()).toBe(watched)
      for (const [n, events] of all.entries())
        expect(events.map(({ event }) => event)).toEqual([
          n % 2 === 0 ? 'state' : 'started',
          'progress',
          'done',
        ])
    })

    test('streams are limited: one too many is a 503 with Retry-After, until another ends', async () => {
      const shop = await openShop(door, { maxStreams: 1 })
      const { id } = await shop.queue.enqueue(hold, {})
      const first = await listen(shop, id)
      await first.next()
      const second = await shop.fetch(`/jobs/${id}/events`)
      expect(second.headers.get('retry-after')).toBe('5')
      await problem(second, 503)
      await first.leave()
      await expect
        .poll(async () => (await shop.fetch(`/jobs/${id}/events`, { method: 'HEAD' })).status)
        .toBe(200)
    })

    test('HEAD of a stream opens none', async () => {
      const shop = await openShop(door, { maxStreams: 1 })
      const { id } = await shop.queue.enqueue(hold, {})
      for (let n = 0; n < 3; n++) {
        const head = await shop.fetch(`/jobs/${id}/events`, { method: 'HEAD' })
        expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
          200,
          'text/event-stream',
          '',
        ])
      }
    })

    test('a stream ends when its server closes', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const events = await listen(shop, id)
      await events.next()
      await shop.close()
      expect(await events.rest()).toEqual([])
    })

    test('a client that missed much comes back to it piece by piece, each event once', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      const events = await listen(shop, id)
      let last = (await events.next())?.id ?? 0
      await events.leave()
      const claim = await shop.claim()
      await progress(shop, claim, 1, 200, 'x'.repeat(1000))
      await finish(shop, claim)
      const seen: unknown[] = []
      for (let times = 0; times < 20 && seen.at(-1) !== 'done'; times++) {
        for (const { event, id: eventId, data } of await (await listen(shop, id, last)).rest()) {
          expect(eventId).toBeGreaterThan(last)
          last = eventId
          seen.push(event === 'progress' ? (data.progress as { step: number }).step : event)
        }
      }
      expect(seen).toEqual(['started', ...Array.from({ length: 200 }, (_, n) => n + 1), 'done'])
    })
  })

test('a reader that is too slow is cut, and comes back to what it missed', async () => {
  const shop = await openShop('web')
  const { id } = await shop.queue.enqueue(hold, {})
  const answer = await shop.fetch(`/jobs/${id}/events`)
  const claim = await shop.claim()
  await progress(shop, claim, 1, 300, 'x'.repeat(1000))
  await vi.waitFor(async () => expect((await shop.queue.get(id))?.progress).toMatchObject({ step: 300 }))
  const slow = await new EventReader(answer).rest()
  expect(slow.length).toBeLessThan(100)
  expect(slow.length).toBeGreaterThan(10)
  const next = await (await listen(shop, id, slow.at(-1)?.id)).next()
  const step = (event: typeof next): number => Number(JSON.stringify(event?.data.progress).match(/\d+/)?.[0])
  expect(step(next)).toBe(step(slow.at(-1)) + 1)
})

for (const door of everyServer)
  test(`a client that takes nothing for a minute is let go behind ${door}`, async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let left: (() => void) | undefined
    const given = new Promise<void>((resolve) => {
      left = resolve
    })
    let pulls = 0
    const shop = await openShop(door, {
      result: () =>
        new Response(
          new ReadableStream({
            pull(controller) {
              pulls++
              controller.enqueue(new Uint8Array(1_048_576))
            },
            cancel: () => left?.(),
          }),
        ),
    })
    const { id } = await shop.queue.enqueue(echo, { text: 'hi' })
    await finish(shop, await shop.claim())
    const answer = await shop.fetch(`/jobs/${id}/result`)
    expect(answer.status).toBe(200)
    for (let before = -1; before !== pulls; ) {
      before = pulls
      for (let turn = 0; turn < 200; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    vi.advanceTimersByTime(60_000)
    await given
    await answer.body?.cancel().catch(() => undefined)
  })
