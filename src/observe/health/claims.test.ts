import { expect, test } from 'vitest'
import type { Depth } from '../../broker.ts'
import type { WorkerState } from '../observer.ts'
import { hasStuck, idling } from './claims.ts'

const worker: WorkerState = {
  name: 'host:1',
  queues: ['a', 'b'],
  state: 'running',
  slots: 2,
  running: 1,
  buffered: 0,
  unsettled: 0,
  unheardMs: 60_000,
}
const depth: Depth = {
  queue: 'b',
  ready: 3,
  running: 0,
  scheduled: 0,
  dead: 0,
  waitingBytes: 300,
  totals: null,
  oldestAgeMs: 500,
  paused: false,
  exact: true,
}

/** Looks every five seconds; answers whether the last one finds a worker that has stopped claiming. */
function after(looks: readonly (readonly [Partial<WorkerState>, Partial<Depth>])[]): boolean {
  let idle: ReturnType<typeof idling> = new Map()
  for (const [index, [state, there]] of looks.entries())
    idle = idling([{ ...worker, ...state }], [{ ...depth, ...there }], idle, index * 5000)
  return hasStuck(idle, (looks.length - 1) * 5000)
}

test('a worker that leaves jobs waiting in every look, with a free slot, has stopped claiming', () => {
  expect(after([[{}, {}]])).toBe(false)
  expect(
    after([
      [{}, {}],
      [{}, {}],
    ]),
  ).toBe(false)
  expect(
    after([
      [{}, {}],
      [{}, {}],
      [{}, {}],
    ]),
  ).toBe(true)
})

test('one look that finds it well begins the count anew', () => {
  for (const well of [
    [{ running: 2 }, {}],
    [{ buffered: 1 }, {}],
    [{ state: 'degraded' }, {}],
    [{}, { oldestAgeMs: null }],
    [{}, { ready: 0 }],
    [{}, { paused: true }],
    [{}, { queue: 'c' }],
    [{ unheardMs: 100 }, {}],
  ] as const)
    expect(after([[{}, {}], well, [{}, {}]])).toBe(false)
})
