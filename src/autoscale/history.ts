import type { Reading } from './reading.ts'

/** What one reading adds to what was known. */
interface Sample {
  readonly at: number
  /** Jobs that began to wait so far, as far as can be told; null where it cannot. */
  readonly came: number | null
  readonly ended: number | null
  readonly failed: number | null
  /** Attempts that ended since the sample before, and the run time of them all. */
  readonly timed: number
  readonly runMs: number
  readonly running: number | null
}

/** The readings of the last minute, the oldest first: plain data. */
export type History = readonly Sample[]

const KEPT_MS = 60_000
/** Closer ones would make the history long. */
const MOST = 240
/** A mean run time stands on so many attempts at least, where there were as many. */
const ENOUGH = 20

export function remember(history: History, reading: Reading): History {
  const last = history.at(-1)
  if (last !== undefined && reading.at <= last.at) return history
  const { at, ready, running, ended, failed } = reading
  const timed = last === undefined ? 1 : Math.max(0, (ended ?? 0) - (last.ended ?? ended ?? 0))
  const open = ready === null || running === null || ended === null ? null : ready + running + ended
  return [
    ...history.filter((sample) => sample.at >= at - KEPT_MS).slice(-MOST),
    {
      at,
      came: open ?? reading.accepted,
      ended,
      failed,
      timed: reading.runMs === null ? 0 : timed,
      runMs: reading.runMs === null ? 0 : reading.runMs * timed,
      running,
    },
  ]
}

/** By how much a total grew over the last `ms`, and in how many. Undefined where it cannot be told. */
function grown(
  history: History,
  total: 'came' | 'ended' | 'failed',
  ms: number,
): { count: number; ms: number } | undefined {
  const last = history.at(-1)
  if (last === undefined) return undefined
  const value = last[total]
  const first = history.find((sample) => sample.at >= last.at - ms && sample[total] !== null)
  if (value === null || first === undefined || first === last) return undefined
  return { count: Math.max(0, value - (first[total] ?? value)), ms: last.at - first.at }
}

/** Attempts that ended in a millisecond, over the last `ms`. */
export function endRate(history: History, ms: number): number | undefined {
  const ends = grown(history, 'ended', ms)
  return ends === undefined ? undefined : ends.count / ends.ms
}

/** The part of the attempts of the last `ms` that failed; 0 where there are too few to tell. */
export function failedPart(history: History, ms: number, enough: number): number {
  const [ends, failures] = [grown(history, 'ended', ms), grown(history, 'failed', ms)]
  if (ends === undefined || failures === undefined || ends.count < enough) return 0
  return Math.min(1, failures.count / ends.count)
}

/**
 * Jobs that come in a millisecond: over the last 10 s, or over the last 3 s where so many more came then that chance does not
 * explain it.
 */
export function arrivalRate(history: History): number | undefined {
  const usual = grown(history, 'came', 10_000)
  if (usual === undefined) return undefined
  const rate = usual.count / usual.ms
  const recent = grown(history, 'came', 3_000)
  if (recent === undefined) return rate
  const expected = rate * recent.ms
  const isSurge = recent.count > expected + 3 * Math.sqrt(expected) + 2
  return isSurge ? recent.count / recent.ms : rate
}

/** The mean run time of the last attempts: of 10 s, and of more where these were few. Undefined before the first. */
export function meanRunMs(history: History): number | undefined {
  const last = history.at(-1)
  let [count, ms] = [0, 0]
  for (const sample of history.toReversed()) {
    if (last !== undefined && sample.at < last.at - 10_000 && count >= ENOUGH) break
    count += sample.timed
    ms += sample.runMs
  }
  return count === 0 ? undefined : ms / count
}

/** Jobs that ran at once, on the mean of the last `ms`. */
export function meanRunning(history: History, ms: number): number | undefined {
  const last = history.at(-1)
  const known = history.flatMap(({ at, running }) =>
    running !== null && last !== undefined && at > last.at - ms ? [running] : [],
  )
  return known.length === 0 ? undefined : known.reduce((sum, one) => sum + one, 0) / known.length
}
