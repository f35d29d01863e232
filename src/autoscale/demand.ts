import type { History } from './history.ts'
import { arrivalRate, leastRunning, meanRunMs, slotFactor } from './history.ts'
import type { Reading } from './reading.ts'

export interface Demand {
  /** Workers that would be right, not bounded by `min` and `max`. */
  readonly workers: number
  /** Of these, what keeps up with what comes. The rest works off what waits, and is spare after that. */
  readonly keepUp: number
  /** How old the oldest job will be when a worker that is ordered now claims. */
  readonly ageMs: number
  /** That age nears the target, or is over it. */
  readonly isHurried: boolean
  /** How long one job takes a slot. */
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
  /** How many times its run time a job takes its slot. @default 1 */
  readonly slotFactor?: number | undefined
}

/** Workers that were ordered at an instant, of which some may not claim yet. */
export interface Order {
  readonly at: number
  readonly workers: number
}

/** How many times its run time a job took its slot, when that was seen last. */
export interface SlotFactor {
  readonly at: number
  readonly factor: number
}

/** Less is chance; what was seen of so long counts for so long. */
const [MUCH, SEEN_MS, KNOWN_MS] = [1.5, 10_000, 600_000]

/** Seen anew whenever all are busy; what was seen before counts for a while. */
export function slotFactorOf(
  slots: number,
  before: SlotFactor | undefined,
  history: History,
  { at }: Reading,
): SlotFactor | undefined {
  const factor = slotFactor(history, slots, SEEN_MS)
  if (factor !== undefined) return factor < MUCH ? undefined : { at, factor }
  return before !== undefined && at - before.at < KNOWN_MS ? before : undefined
}

/** What waits is worked off within so many target ages: while there is no hurry, and when the target age is reached. */
const [CALM, HASTE] = [3, 1]
/** From there on there is: the oldest job's age as a part of the target. */
const HURRY = 0.5
/** ln(1/0.01): of a queue at random, one job in a hundred waits longer than the target when so many run times fit into it. */
const RARE = 4.6
const LONG_MS = 20_000

/**
 * By Little's law: what comes in a run time is what runs at once, with a margin for chance that is small where the target leaves
 * time to wait; and what waits, divided by the time it may take. Depth alone is no hurry: that time is long while the oldest job
 * is young, and short when its age nears the target. All is reckoned for the moment when a worker that is ordered now claims, with
 * what those will have done that were ordered before.
 */
export function demandOf(
  { slots, targetAgeMs, startMs, runMs: prior, slotFactor: factor = 1 }: Aim,
  history: History,
  orders: readonly Order[],
  reading: Reading,
): Demand {
  const runMs = Math.max(meanRunMs(history, prior), 0.01) * factor
  const comes = arrivalRate(history) ?? 0
  const ready = reading.ready ?? 0
  const atOnce = Math.max(comes * runMs, leastRunning(history, LONG_MS) ?? 0)
  const margin = Math.min(Math.sqrt(atOnce), (RARE * runMs) / targetAgeMs)
  const keepUp = (atOnce + margin) / slots

  const served = ((reading.workers * startMs + startedMs(orders, reading, startMs)) * slots) / runMs
  const waiting = Math.max(ready, ready + comes * startMs - served)
  const ageNow = ready === 0 ? 0 : (reading.oldestAgeMs ?? Math.min(ready / comes, targetAgeMs))
  const ageMs = ageNow + Math.max(0, startMs - served / Math.max(comes, 1e-9))
  const isHurried = ready > 0 && ageMs > targetAgeMs * HURRY
  const hurry = Math.min(1, Math.max(0, (ageMs / targetAgeMs - HURRY) / (1 - HURRY)))
  const clearMs = targetAgeMs * (CALM + (HASTE - CALM) * hurry)
  const workers = keepUp + (waiting * runMs) / clearMs / slots
  return { workers, keepUp, ageMs, isHurried, runMs, comes }
}

/** How long those that start now will have claimed, all together, after `startMs` from now. */
function startedMs(orders: readonly Order[], { at, starting }: Reading, startMs: number): number {
  let [left, sum] = [starting, 0]
  for (const order of orders.toReversed()) {
    const workers = Math.min(left, order.workers)
    sum += workers * Math.min(startMs, Math.max(0, at - order.at))
    left -= workers
  }
  return sum + left * startMs
}
