import type { Duration } from '../duration.ts'
import { OffloadClientError } from './error.ts'

const LONGEST_PAUSE_MS = 30_000
/** Who is told to come back later than this decides for himself. */
const LONGEST_RETRY_AFTER_MS = 60_000
const TRANSIENT = [429, 502, 503, 504]

/** The same request may succeed later. */
export function isTransient({ code, status }: OffloadClientError): boolean {
  return code === 'NETWORK_FAILED' || code === 'IDEMPOTENCY_IN_USE' || TRANSIENT.includes(status ?? 0)
}

/**
 * Milliseconds until the next try: from `baseMs` on it doubles with each failure in a row, is never sooner than the server asked, and up
 * to half more, so that not all come back at once. Undefined when another try makes no sense.
 */
export function pauseAfter(
  error: unknown,
  failures: number,
  baseMs: number,
  random: number,
): number | undefined {
  if (!(error instanceof OffloadClientError) || !isTransient(error)) return undefined
  const { retryAfterMs = 0 } = error
  if (retryAfterMs > LONGEST_RETRY_AFTER_MS) return undefined
  return jittered(Math.max(retryAfterMs, Math.min(LONGEST_PAUSE_MS, baseMs * 2 ** (failures - 1))), random)
}

/** Up to half more. */
export function jittered(ms: number, random: number): number {
  return ms * (1 + random / 2)
}

/** Rejects with the reason of the signal when that aborts. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted()
    const wake = (): void => {
      signal?.removeEventListener('abort', stop)
      resolve()
    }
    const timer = setTimeout(wake, ms)
    const stop = (): void => {
      clearTimeout(timer)
      reject(signal?.reason)
    }
    signal?.addEventListener('abort', stop, { once: true })
  })
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }
/** Timers of browsers and Node go no further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/** Milliseconds of a duration, of at most 24 days. @throws OPTION_INVALID */
export function toMs(duration: Duration, option: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  const ms = typeof duration === 'number' ? duration : Number(amount) * UNITS[unit as keyof typeof UNITS]
  if (ms >= 0) return Math.min(ms, LONGEST_TIMER_MS)
  throw new OffloadClientError('OPTION_INVALID', `${option} must be milliseconds or a duration such as "30s"`)
}

/** Aborts when one of them does. */
export function anyOf(...signals: readonly (AbortSignal | undefined)[]): AbortSignal {
  return AbortSignal.any(signals.filter((signal) => signal !== undefined))
}
