import type { Depth } from '../src/broker.ts'

/** A queue that has nothing, but for what is said. */
export function depthOf(queue: string, more: Partial<Depth> = {}): Depth {
  return {
    queue,
    ready: 0,
    running: 0,
    scheduled: 0,
    dead: 0,
    oldestAgeMs: null,
    waitingBytes: 0,
    totals: null,
    paused: false,
    exact: true,
    ...more,
  }
}
