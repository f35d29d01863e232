import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError, shown } from './errors.ts'

/** When a failed attempt is tried again. */
export interface RetryOptions {
  /** Attempts in all, the first included. @default 5 */
  readonly attempts?: number
  /** Upper bound of the first wait; it doubles with every attempt. @default '1s' */
  readonly base?: Duration
  /** No backoff is longer; a wait that an error asks for by retryAfter is taken as it is. @default '10m' */
  readonly max?: Duration
  /** Looks at the error and may decide for itself; undefined leaves it to the rest of the policy. */
  readonly on?: (error: unknown, attempt: number) => 'discard' | { readonly after: Duration } | undefined
}

export interface RetryPolicy {
  readonly attempts: number
  readonly baseMs: number
  readonly maxMs: number
  readonly on: RetryOptions['on']
}

const MAX_ATTEMPTS = 1000

/** @throws OPTION_INVALID */
export function retryPolicy(options: RetryOptions = {}): RetryPolicy {
  const attempts = options.attempts ?? 5
  if (!Number.isInteger(attempts) || attempts < 1 || attempts > MAX_ATTEMPTS) {
    throw new OffloadError(
      'OPTION_INVALID',
      `retry.attempts must be a whole number from 1 to ${MAX_ATTEMPTS}, not ${shown(attempts)}`,
    )
  }
  return {
    attempts,
    baseMs: toMs(options.base ?? '1s', 'retry.base'),
    maxMs: toMs(options.max ?? '10m', 'retry.max'),
    on: options.on,
  }
}

/**
 * Milliseconds to wait after the given failed attempt (from 1): exponential with full jitter, that is a random
 * point between 0 and `min(max, base * 2^(attempt - 1))`. Source: Brooker, "Exponential Backoff And Jitter" (AWS, 2015).
 */
export function backoffMs(
  policy: Pick<RetryPolicy, 'baseMs' | 'maxMs'>,
  attempt: number,
  random: () => number,
): number {
  return Math.round(random() * Math.min(policy.maxMs, policy.baseMs * 2 ** (attempt - 1)))
}

/** What the policy makes of an error: a wait in ms, or undefined for never again. The limit of attempts is not looked at. */
export function waitAfter(
  policy: RetryPolicy,
  error: unknown,
  attempt: number,
  random: () => number,
): number | undefined {
  const verdict = policy.on?.(error, attempt)
  if (verdict === 'discard') return undefined
  if (verdict !== undefined) return toMs(verdict.after, 'retry.on() → after')
  return retryAfterOf(error) ?? backoffMs(policy, attempt, random)
}

/** A wait that the error itself asks for: `retryAfter` as a duration, `retryAfterMs`, in that order. */
function retryAfterOf(error: unknown): number | undefined {
  if (typeof error !== 'object' || error === null) return undefined
  try {
    const { retryAfter, retryAfterMs } = error as { retryAfter?: Duration; retryAfterMs?: number }
    const asked = retryAfter ?? retryAfterMs
    return asked === undefined ? undefined : toMs(asked, 'retryAfter')
  } catch {
    return undefined
  }
}
