import type { History } from './history.ts'
import { arrivalRate, meanRunMs, meanRunning } from './history.ts'
import type { Reading } from './reading.ts'

export interface Demand {
  /** Workers that would be right, not bounded by `min` and `max`. */
  readonly workers: number
  /** How old the oldest job will be when a worker that is ordered now claims. */
  readonly ageMs: number
  /** That age nears the target, or is over it. */
  readonly isHurried: boolean
  readonly runMs: number
  /** Jobs in a millisecond. */
  readonly comes: number
}

interface Aim {
  readonly slots: number
  readonly targetAgeMs: number
  readonly startMs: number
  /** Of one job, before one has ended. */
  readonly runMs: number
}

/** What waits is worked off within so many target ages while there is no hurry. */
const CALM = 3
/** From there on there is: the oldest job's age as a part of the target. */
const HURRY = 0.5

/**
 * By Little's law: what comes in a run time is what runs at once, with a margin for chance (its square root, less where the target
 * leaves time to wait); and what waits, divided by the time it may take. Depth alone is no hurry: that time is long while the oldest
 * job is young, and short when its age nears the target.
 */
export function demandOf(aim: Aim, history: History, reading: Reading): Demand {
  const { slots, targetAgeMs, startMs } = aim
  const runMs = Math.max(meanRunMs(history) ?? aim.runMs, 0.01)
  const comes = arrivalRate(history) ?? 0
  const ready = reading.ready ?? 0
  const running = ready > 0 ? 0 : (meanRunning(history, RUNNING_MS) ?? 0)
  const atOnce = Math.max(comes * runMs, running)
  const margin = Math.sqrt(atOnce * Math.min(1, runMs / targetAgeMs))
  const serves = (reading.workers * slots) / runMs
  const behind = comes > serves ? 1 - serves / comes : 0
  const youngMs = ready === 0 ? 0 : (reading.oldestAgeMs ?? ready / Math.max(comes, serves, 1e-9))
  const ageMs = youngMs + behind * startMs
  const isHurried = ready > 0 && ageMs > targetAgeMs * HURRY
  const waiting = ready + behind * comes * startMs
  const clearMs = isHurried ? Math.max(targetAgeMs / 4, targetAgeMs - ageMs) : targetAgeMs * CALM
  const workers = (atOnce + margin + (waiting * runMs) / clearMs) / slots
  return { workers, ageMs, isHurried, runMs, comes }
}

const RUNNING_MS = 5000
