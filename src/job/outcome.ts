import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError } from './errors.ts'

const brand: unique symbol = Symbol.for('offload.outcome')

/** What a handler can return instead of a result. */
export type Outcome = Retry | Snooze | Discard

interface Retry {
  readonly [brand]: 'retry'
  readonly afterMs: number | undefined
  readonly reason: string | undefined
}

interface Snooze {
  readonly [brand]: 'snooze'
  readonly afterMs: number
}

interface Discard {
  readonly [brand]: 'discard'
  readonly reason: string
}

/** Try again: after the time given, or as the retry policy says. Counts as a failed attempt. */
export function retry(options: { after?: Duration; reason?: string } = {}): Retry {
  const afterMs = options.after === undefined ? undefined : toMs(options.after, 'retry({ after })')
  return { [brand]: 'retry', afterMs, reason: options.reason }
}

/** Not yet: run again after the time given. Costs no attempt. */
export function snooze(after: Duration): Snooze {
  const afterMs = toMs(after, 'snooze(after)')
  if (afterMs < 1) throw new OffloadError('OPTION_INVALID', 'snooze(after) must be at least 1 ms')
  return { [brand]: 'snooze', afterMs }
}

/** Never try again: the job becomes a dead letter with this reason. */
export function discard(reason: string): Discard {
  return { [brand]: 'discard', reason }
}

/** Which outcome a handler returned, or undefined when it returned a result. */
export function outcomeType(value: unknown): 'retry' | 'snooze' | 'discard' | undefined {
  try {
    return typeof value === 'object' && value !== null && brand in value
      ? (value as Outcome)[brand]
      : undefined
  } catch {
    return undefined // a proxy whose traps throw: no outcome, and no result that can be stored either
  }
}
