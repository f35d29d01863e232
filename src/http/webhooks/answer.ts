/** What an answer of a receiver means for the delivery. */
export type Verdict =
  | { readonly type: 'taken' }
  /** The receiver wants no more. */
  | { readonly type: 'gone' }
  | {
      readonly type: 'failed'
      /** It has too much to do: its other deliveries wait too. */
      readonly throttled: boolean
      /** The wait that it asks for. */
      readonly retryAfterMs: number | undefined
    }

const LONGEST_WAIT_MS = 24 * 3_600_000
const THROTTLING: readonly number[] = [429, 502, 503, 504]

/** Only 2xx is success; a redirect is a failure like any other and is never followed. */
export function verdictOf(status: number, retryAfter: string | undefined, now: number): Verdict {
  if (status >= 200 && status <= 299) return { type: 'taken' }
  if (status === 410) return { type: 'gone' }
  return {
    type: 'failed',
    throttled: THROTTLING.includes(status),
    retryAfterMs: retryAfter === undefined ? undefined : retryAfterMs(retryAfter, now),
  }
}

/** Milliseconds of a `Retry-After`, in seconds or as an HTTP date; at most a day; undefined when it says nothing usable. */
function retryAfterMs(value: string, now: number): number | undefined {
  const text = value.trim()
  if (/^\d+$/.test(text)) return Math.min(Number(text) * 1000, LONGEST_WAIT_MS)
  if (!/^[A-Za-z]{3,9},? /.test(text)) return undefined
  const at = Date.parse(/ GMT$/i.test(text) ? text : `${text} GMT`)
  return Number.isNaN(at) ? undefined : Math.min(Math.max(0, at - now), LONGEST_WAIT_MS)
}

const SECOND = 1000
const MINUTE = 60 * SECOND
const HOUR = 60 * MINUTE

/** The waits before each attempt that Standard Webhooks proposes: three days in all. */
const SCHEDULE_MS: readonly number[] = [
  0,
  5 * SECOND,
  5 * MINUTE,
  30 * MINUTE,
  2 * HOUR,
  5 * HOUR,
  10 * HOUR,
  14 * HOUR,
  20 * HOUR,
  24 * HOUR,
]

export const ATTEMPTS: number = SCHEDULE_MS.length

/** How long to wait after a failed attempt (from 1): the schedule give or take a tenth, and no less than was asked for. */
export function waitMs(attempt: number, askedMs: number | undefined, random: () => number): number {
  const planned = SCHEDULE_MS[Math.min(attempt, ATTEMPTS - 1)] ?? 0
  return Math.round(Math.max(planned * (0.9 + 0.2 * random()), (askedMs ?? 0) * (1 + 0.1 * random())))
}

/** The beginning of an answer as a message may hold it: one line, no control characters. */
export function snippetOf(body: Uint8Array): string {
  return new TextDecoder()
    .decode(body)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\s]+/gu, ' ')
    .trim()
    .slice(0, 200)
    .toWellFormed()
}
