import { expect, test } from 'vitest'
import { depthOf as depth } from '../../lab/depth-of.ts'
import type { Depth } from '../broker.ts'
import type { WorkerView } from '../presence/view.ts'
import type { Taken } from './sample.ts'
import { queueRows, sampleOf } from './sample.ts'

const totals = { accepted: 0, done: 0, failed: 0, dead: 0, cancelled: 0 }
const taken = (at: number, depths: Depth[], workers: WorkerView[] | null = []): Taken => ({
  at,
  depths,
  workers,
})
const both = (now: Taken, before?: Taken) => {
  const rows = queueRows(now, before)
  return { rows, sample: sampleOf(now, rows) }
}

test('rates are what the totals grew by, a second', () => {
  const before = taken(1000, [depth('a', { totals })])
  const now = taken(3000, [depth('a', { totals: { ...totals, accepted: 100, done: 50, failed: 1 } })])
  const { rows, sample } = both(now, before)
  expect(rows[0]?.rates).toEqual({ accepted: 50, done: 25, failed: 0.5, dead: 0, cancelled: 0 })
  expect(sample.rates).toEqual(rows[0]?.rates)
})

test('a queue that is new has counted from 0', () => {
  const now = taken(2000, [depth('a', { totals: { ...totals, accepted: 7 } })])
  expect(both(now, taken(1000, [])).sample.rates?.accepted).toBe(7)
})

test('the first look, and a store that does not count, tell no rates', () => {
  expect(both(taken(1, [depth('a', { totals })])).sample.rates).toBeNull()
  const before = taken(1, [depth('a', { totals: null })])
  expect(both(taken(2, [depth('a', { totals: null })]), before).sample.rates).toBeNull()
})

test('a store that was made anew has no rates below 0', () => {
  const before = taken(1000, [depth('a', { totals: { ...totals, done: 500 } })])
  expect(both(taken(2000, [depth('a', { totals })]), before).sample.rates?.done).toBe(0)
})

test('queues are added up, the age is that of the oldest, and what one cannot tell the sum cannot', () => {
  const { sample } = both(
    taken(1, [
      depth('a', { ready: 2, running: 1, oldestAgeMs: 10 }),
      depth('b', { ready: 3, running: null, oldestAgeMs: 70 }),
    ]),
  )
  expect(sample).toMatchObject({ ready: 5, running: null, dead: 0, oldestAgeMs: 70 })
})

test('the queues with most to do come first', () => {
  const { rows } = both(taken(1, [depth('b'), depth('a'), depth('z', { dead: 1 })]))
  expect(rows.map(({ queue }) => queue)).toEqual(['z', 'a', 'b'])
})

test('workers are added up; of their times the middle is weighed, the tail that of the worst', () => {
  const worker = (count: number, p50: number, p99: number): WorkerView =>
    ({
      state: 'running',
      slots: 10,
      running: 2,
      wait: null,
      run: { count, p50, p95: p99, p99 },
    }) as unknown as WorkerView
  const { sample } = both(taken(1, [], [worker(3, 10, 50), worker(1, 30, 400)]))
  expect(sample.workers).toEqual({
    count: 2,
    troubled: 0,
    slots: 20,
    running: 4,
    wait: null,
    run: { count: 4, p50: 15, p95: 400, p99: 400 },
  })
})

test('a store that remembers no workers says so', () => {
  expect(both(taken(1, [], null)).sample.workers).toBeNull()
})
