import type { Depth } from '../../broker.ts'
import type { Decision } from '../policy/policy.ts'
import type { Reading } from '../policy/reading.ts'
import type { Window } from './rates.ts'
import { rateOf } from './rates.ts'

/** How many workers are wanted, why, and what that was decided by. What cannot be told is null. */
export interface ScaleAnswer {
  /** ISO time of the last reading that could be taken. */
  readonly at: string
  /** Workers wanted: replicas, where one has one worker. */
  readonly desired: number
  /** Whether any is wanted. */
  readonly active: boolean
  readonly reason: string
  /** The reason in a sentence, with the figures. */
  readonly text: string
  readonly queues: readonly string[]
  /** Workers that serve them and told of themselves lately, on all hosts. */
  readonly workers: number | null
  readonly ready: number | null
  readonly running: number | null
  readonly scheduled: number | null
  readonly oldestAgeMs: number | null
  /** Jobs in a second, over the last ten. */
  readonly arrivalRate: number | null
  readonly finishRate: number | null
  /** Why the queues cannot be measured now: the figures are older. */
  readonly blind?: string
}

export function answerOf(
  { workers: desired, reason, text }: Decision,
  reading: Reading,
  depths: readonly Depth[],
  workers: number | null,
  window: Window,
  now: number,
): ScaleAnswer {
  const { ready, running, dueSoon, oldestAgeMs } = reading
  return {
    at: new Date(now).toISOString(),
    desired,
    active: desired > 0,
    reason,
    text,
    queues: depths.map(({ queue }) => queue),
    workers,
    ready,
    running,
    scheduled: dueSoon,
    oldestAgeMs,
    arrivalRate: rateOf(window, 'accepted'),
    finishRate: rateOf(window, 'ended'),
  }
}
