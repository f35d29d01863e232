import type { Reading } from './reading.ts'

/** What one reading adds to what was known. */
interface Sample {
  readonly at: number
  /** Attempts that ended, run or wait: what grows by each job that comes and each that is tried again. */
  readonly came: number | null
  readonly accepted: number | null
  readonly ended: number | null
  readonly failed: number | null
  /** Attempts that ended since the sample before, and the run time of them all. */
  readonly timed: number
  readonly runMs: number
  readonly ready: number | null
  readonly running: number | null
  readonly workers: number
}

/** The readings of the last minute, the oldest first: plain data. */
export type History = readonly Sample[]

const KEPT_MS = 60_000
/** So many attempts tell how long one takes its slot. */
const MANY = 50
/** This part of the slots in use is all of them. */
const FULL = 0.9
/** Closer ones would make the history long. */
const MOST = 240

export function remember(history: History, reading: Reading): History {
  const last = history.at(-1)
  if (last !== undefined && reading.at <= last.at) return history
  const { at, ready, running, ended, failed } = reading
  const before = last?.ended ?? null
  const timed = ended === null || before === null ? 1 : Math.max(0, ended - before)
  const open = ready === null || running === null || ended === null ? null : ready + running + ended
  return [
    ...history.filter((sample) => sample === last || sample.at >= at - KEPT_MS).slice(-MOST),
    {
      at,
      came: open,
      accepted: reading.accepted,
      ended,
      failed,
      timed: reading.runMs === null ? 0 : timed,
      runMs: reading.runMs === null ? 0 : reading.runMs * timed,
      ready,
      running,
      workers: reading.workers,
    },
  ]
}

/** By how much a total grew over the last `ms`, since the reading before at the least, and in how many. Undefined where it cannot be told. */
function grown(
  history: History,
  total: 'came' | 'accepted' | 'ended' | 'failed',
  ms: number,
): { count: number; ms: number } | undefined {
  const last = history.at(-1)
  if (last === undefined) return undefined
  const value = last[total]
  const known = history.filter((sample) => sample !== last && sample[total] !== null)
  const first = known.find((sample) => sample.at >= last.at - ms) ?? known.at(-1)
  if (value === null || first === undefined) return undefined
  return { count: Math.max(0, value - (first[total] ?? value)), ms: last.at - first.at }
}

/** Attempts that ended in the last `ms`, or as much of it as is known. */
export function endsIn(history: History, ms: number): { count: number; ms: number } | undefined {
  return grown(history, 'ended', ms)
}

/** The part of the attempts of the last `ms` that failed; 0 where there are too few to tell. */
export function failedPart(history: History, ms: number, enough: number): number {
  const [ends, failures] = [grown(history, 'ended', ms), grown(history, 'failed', ms)]
  if (ends === undefined || failures === undefined || ends.count < enough) return 0
  return Math.min(1, failures.count / ends.count)
}

/** The longest first. */
const WINDOWS_MS = [30_000, 10_000, 3_000]
/** So many standard deviations are no chance. */
const SIGNIFICANT = 4

/**
 * Jobs that come in a millisecond: on the mean of 30 s, or of a shorter time that differs from it by more than chance explains
 * (arrivals at random). So steady load is known well, and a step is seen at once.
 */
export function arrivalRate(history: History): number | undefined {
  let rate: number | undefined
  for (const ms of WINDOWS_MS) {
    const recent = grown(history, 'came', ms) ?? grown(history, 'accepted', ms)
    if (recent === undefined) continue
    const expected = (rate ?? 0) * recent.ms
    const isChance =
      rate !== undefined &&
      Math.abs(recent.count - expected) <= SIGNIFICANT * Math.sqrt(Math.max(expected, 1)) + 1
    if (!isChance) rate = recent.count / recent.ms
  }
  return rate
}

/**
 * The mean run time of the attempts that ended: in the last minute, or in a shorter time that differs from it by more than
 * chance explains (run times that vary as much as their mean). The first ones to end are the short ones, so what was reckoned with
 * before counts like a few attempts.
 */
export function meanRunMs(history: History, prior: number): number {
  const last = history.at(-1)
  let mean: number | undefined
  for (const windowMs of [KEPT_MS, 10_000]) {
    const recent = history.filter(({ at }) => last !== undefined && at > last.at - windowMs)
    const count = recent.reduce((sum, { timed }) => sum + timed, 0)
    if (count === 0) continue
    const total = recent.reduce((sum, { runMs }) => sum + runMs, 0)
    const value = mean === undefined ? (total + prior * FEW) / (count + FEW) : total / count
    const isChance = mean !== undefined && Math.abs(value - mean) <= (SIGNIFICANT * mean) / Math.sqrt(count)
    if (!isChance) mean = value
  }
  return mean ?? prior
}

const FEW = 10

/** Of the attempts that ended in the last `ms`; undefined where none did, or their run time cannot be told. */
export function meanRunIn(history: History, ms: number): number | undefined {
  const last = history.at(-1)
  const recent = history.filter(({ at }) => last !== undefined && at > last.at - ms)
  const count = recent.reduce((sum, { timed }) => sum + timed, 0)
  return count === 0 ? undefined : recent.reduce((sum, { runMs }) => sum + runMs, 0) / count
}

/**
 * How many times its run time a job takes its slot, by what the workers ended while all were busy and something waited: more than once where
 * claiming and settling take their part. Undefined where something did not wait, or not for long enough to tell.
 */
export function slotFactor(history: History, slots: number, ms: number): number | undefined {
  const last = history.at(-1)
  const recent = history.filter(({ at }) => last !== undefined && at >= last.at - ms)
  const passedMs = (last?.at ?? 0) - (recent[0]?.at ?? 0)
  const isFull = recent.every(
    ({ ready, running, workers }) =>
      ready !== null && ready > 0 && workers > 0 && (running ?? 0) >= workers * slots * FULL,
  )
  const count = endsIn(history, ms)?.count ?? 0
  const ranMs = meanRunIn(history, ms)
  if (!isFull || passedMs < ms * 0.9 || count < MANY || ranMs === undefined) return undefined
  const workers = recent.reduce((sum, one) => sum + one.workers, 0) / recent.length
  return (passedMs * workers * slots) / count / Math.max(ranMs, 0.01)
}

/**
 * Jobs that ran at once at the least in the last `ms` while nothing waited: so many run for long, which the mean of those that
 * ended cannot tell. Undefined while that cannot be told yet.
 */
export function leastRunning(history: History, ms: number): number | undefined {
  const last = history.at(-1)
  const calm = history.filter(
    ({ at, ready, running }) => ready === 0 && running !== null && last !== undefined && at > last.at - ms,
  )
  const first = calm[0]
  if (first === undefined || last === undefined || last.at - first.at < ms / 4) return undefined
  return Math.min(...calm.map(({ running }) => running ?? 0))
}
