import type { Demand } from './demand.ts'
import type { History } from './history.ts'
import { endsIn, meanRunIn } from './history.ts'
import type { Reading } from './reading.ts'

/** Whether growth helps: plain data. */
export interface Efficacy {
  /** Growth whose effect is not known yet. */
  readonly trial?: Trial
  /** Growth that did not help: it was taken back, and there is no other until then. */
  readonly held?: Held
  /** How often in a row it did not help: each time it is held for longer. */
  readonly strikes: number
  /** Growth is not doubted until then. */
  readonly trustedUntil?: number
}

interface Trial {
  readonly from: number
  readonly to: number
  /** When it grew last. */
  readonly at: number
  /** Ends in a millisecond before it, over how long that was measured, and the run time. */
  readonly rate: number
  readonly rateMs: number
  readonly runMs: number
  /** Since when all of them claim and something has always been ready. */
  readonly fullSince?: number
}

interface Held {
  readonly workers: number
  readonly since: number
  readonly until: number
  /** What ended in how long with the workers that were taken back. */
  readonly ends: { readonly count: number; readonly ms: number }
}

export const noEfficacy: Efficacy = { strikes: 0 }

/** Smaller growth is lost in chance. */
const WORTH = 1.4
/** It helped when it brought this part of what it should. */
const ENOUGH = 0.4
/** What they call is the bottleneck only where run times grew by this part of the growth. */
const SLOWED = 0.5
const [BEFORE_MS, LEAST_MS] = [10_000, 5000]
/** Growth after some that did not help is looked at for so long. */
const DOUBTED_MS = 15_000
/** Growth that is not known to help or not after so long is looked at no longer. */
const TRIAL_MS = 45_000
/** The same where some of the workers never claimed. */
const STALE_MS = 120_000
const HELD_MS = 30_000
const MOST_DOUBLINGS = 4
const TRUSTED_MS = 120_000
const CHANGED = 1.25
/** So many standard deviations are no chance. */
const SURE = 3
const MOST_MS = 15_000
const MANY = 30
const [SLOWER, MOST_GROWTH] = [1.4, 1.5]

/** Workers were added to `from`, which ended what the history tells. */
export function grew(
  efficacy: Efficacy,
  from: number,
  to: number,
  history: History,
  { at }: Reading,
  { runMs }: Pick<Demand, 'runMs'>,
): Efficacy {
  const ends = endsIn(history, Math.max(BEFORE_MS, 2 * runMs))
  if (from === 0 || ends === undefined) return efficacy
  const trial = efficacy.trial ?? {
    from,
    to,
    at,
    rate: ends.count / ends.ms,
    rateMs: ends.ms,
    runMs: Math.max(runMs, meanRunIn(history, BEFORE_MS) ?? 0),
  }
  const { fullSince: _, ...open } = trial
  return { ...efficacy, trial: { ...open, at, to: Math.max(trial.to, to) } }
}

/** What the newest reading says of growth before it. */
export function judge(
  efficacy: Efficacy,
  history: History,
  reading: Reading,
  { runMs }: Pick<Demand, 'runMs'>,
): Efficacy {
  const waitMs = Math.max(LEAST_MS, 2 * runMs)
  return reconsider(conclude(efficacy, history, reading, waitMs), history, reading, waitMs)
}

function conclude(efficacy: Efficacy, history: History, reading: Reading, waitMs: number): Efficacy {
  const { trial, ...rest } = efficacy
  if (trial === undefined) return efficacy
  if (reading.ready === 0) return { ...rest, strikes: 0 }
  if (reading.at - trial.at > Math.max(STALE_MS, 4 * waitMs)) return rest
  if (reading.starting > 0 || reading.workers < trial.to) {
    const { fullSince: _, ...open } = trial
    return { ...rest, trial: open }
  }
  const { fullSince = reading.at } = trial
  const leastMs = efficacy.strikes > 0 ? Math.max(DOUBTED_MS, waitMs) : waitMs
  if (reading.at - fullSince < leastMs) return { ...rest, trial: { ...trial, fullSince } }
  const fullMs = reading.at - fullSince
  const ends = endsIn(history, fullMs)
  const growth = trial.to / trial.from
  const open = { ...rest, trial: { ...trial, fullSince } }
  if (ends === undefined || growth < WORTH) return fullMs < TRIAL_MS ? open : rest
  const rate = ends.count / ends.ms
  if (rate >= trial.rate * (1 + ENOUGH * (growth - 1)))
    return { ...rest, strikes: Math.max(0, rest.strikes - 1) }
  const promised = trial.rate * growth * ends.ms
  const chance = SURE * Math.sqrt(promised * (1 + (growth * ends.ms) / trial.rateMs))
  const isChance = ends.count > promised - chance
  const ranMs = meanRunIn(history, fullMs) ?? trial.runMs
  const isSlower = ranMs >= trial.runMs * (1 + SLOWED * (growth - 1))
  if (isChance || !isSlower) {
    if (fullMs < TRIAL_MS) return open
    if (efficacy.strikes === 0) return rest
  }
  if (reading.at < (rest.trustedUntil ?? reading.at)) return rest
  const heldMs = HELD_MS * 2 ** Math.min(efficacy.strikes, MOST_DOUBLINGS)
  return {
    ...rest,
    strikes: efficacy.strikes + 1,
    held: { workers: trial.from, since: reading.at, until: reading.at + heldMs, ends },
  }
}

/** Held no longer when the time is over, when more ends again, or when the workers that were taken back are missed. */
function reconsider(efficacy: Efficacy, history: History, reading: Reading, waitMs: number): Efficacy {
  const { held, ...rest } = efficacy
  if (held === undefined) return efficacy
  if (reading.at >= held.until) return rest
  const passedMs = reading.at - held.since
  if (passedMs < 2 * waitMs) return efficacy
  const ends = endsIn(history, Math.min(passedMs - waitMs, MOST_MS))
  if (ends === undefined) return efficacy
  const expected = (held.ends.count / held.ends.ms) * ends.ms
  const chance = SURE * Math.sqrt(expected * (1 + ends.ms / held.ends.ms))
  if (ends.count > Math.max(expected * CHANGED, expected + chance)) return { ...rest, strikes: 0 }
  const missed = (reading.ready ?? 0) > 0 && ends.count < Math.min(expected / CHANGED, expected - chance)
  return missed ? { ...rest, strikes: 0, trustedUntil: reading.at + TRUSTED_MS } : efficacy
}

/** Workers were retired: growth before it can no longer be judged. */
export function shrank({ trial: _, ...rest }: Efficacy): Efficacy {
  return rest
}

/**
 * The most workers while growth is on trial after it did not help before, or while run times have grown with it: what they call may
 * be the bottleneck, and then more would make it worse.
 */
export function mostOnTrial(
  { trial, strikes, trustedUntil }: Efficacy,
  history: History,
  { at }: Pick<Reading, 'at'>,
  { runMs }: Pick<Demand, 'runMs'>,
  before: number,
): number {
  if (at < (trustedUntil ?? at)) return Number.POSITIVE_INFINITY
  const { from, runMs: ranMs } = trial ?? { from: before, runMs }
  const isMany = (endsIn(history, BEFORE_MS)?.count ?? 0) >= MANY
  const isDoubtful = strikes > 0 || (isMany && runMs > ranMs * SLOWER)
  return isDoubtful ? Math.max(from + 1, Math.floor(from * MOST_GROWTH)) : Number.POSITIVE_INFINITY
}
