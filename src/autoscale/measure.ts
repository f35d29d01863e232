import type { Depth } from '../broker.ts'
import type { Reading } from './policy/reading.ts'

/** What is known of the workers of a pool beside the depths of its queues. */
export interface Told extends Pick<Reading, 'workers' | 'starting' | 'host'> {
  /** Attempts that ended in them, in those that are gone, too; null where the workers cannot be asked. */
  readonly ended: number | null
  readonly failed: number | null
  readonly runMs: number | null
}

/**
 * One reading of the queues of a pool: sums, and the greatest age. What one queue cannot tell, the sum cannot. What waits in a
 * paused queue is left out: no worker may start it. Totals of the store go before those of the workers: they know of all hosts.
 */
export function measure(depths: readonly Depth[], told: Told, at: number): Reading {
  const open = depths.filter(({ paused }) => !paused)
  const totals = (count: (of: NonNullable<Depth['totals']>) => number): number | null =>
    sum(depths.map((depth) => (depth.totals === null ? null : count(depth.totals))))
  const { workers, starting, runMs, host } = told
  return {
    at,
    ready: sum(open.map(({ ready }) => ready)),
    running: sum(depths.map(({ running }) => running)),
    dueSoon: sum(open.map(({ scheduled }) => scheduled)),
    oldestAgeMs: oldest(open),
    accepted: totals(({ accepted }) => accepted),
    ended: totals(({ done, failed, dead }) => done + failed + dead) ?? told.ended,
    failed: totals(({ failed, dead }) => failed + dead) ?? told.failed,
    runMs,
    workers,
    starting,
    ...(host === undefined ? {} : { host }),
  }
}

function sum(counts: readonly (number | null)[]): number | null {
  let all = 0
  for (const count of counts) {
    if (count === null) return null
    all += count
  }
  return all
}

/** A queue that has nothing ready has no age, which is not the same as an age that nobody knows. */
function oldest(depths: readonly Depth[]): number | null {
  const ages = depths.filter(({ ready }) => ready !== 0).map(({ oldestAgeMs }) => oldestAgeMs)
  return ages.includes(null) ? null : Math.max(0, ...ages.map((age) => age ?? 0))
}
