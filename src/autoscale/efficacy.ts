import type { Demand } from './demand.ts'
import type { History } from './history.ts'
import { endRate } from './history.ts'
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
  readonly trustedUntil: number
}

interface Trial {
  readonly from: number
  readonly to: number
  /** Ends in a millisecond that `from` workers could reach. */
  readonly rate: number
  /** Since when all of them claim and something has always been ready. */
  readonly fullSince?: number
}

interface Held {
  readonly workers: number
  readonly since: number
  readonly until: number
  /** Ends in a millisecond with the workers that were taken back. */
  readonly rate: number
}

export const noEfficacy: Efficacy = { strikes: 0, trustedUntil: Number.NEGATIVE_INFINITY }

/** Smaller growth is lost in chance. */
const WORTH = 1.25
/** It helped when it brought this part of what it should. */
const ENOUGH = 0.2
const LEAST_MS = 5000
const HELD_MS = 30_000
const MOST_DOUBLINGS = 4
const TRUSTED_MS = 120_000
const CHANGED = 1.25

/** Workers were added to `from`, each of which runs `slots` jobs of `runMs` at once. */
export function grew(
  efficacy: Efficacy,
  from: number,
  to: number,
  { runMs }: Pick<Demand, 'runMs'>,
  slots: number,
): Efficacy {
  if (from === 0) return efficacy
  const trial = efficacy.trial ?? { from, to, rate: (from * slots) / runMs }
  const { fullSince: _, ...open } = trial
  return { ...efficacy, trial: { ...open, to: Math.max(trial.to, to) } }
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
  if (reading.starting > 0 || reading.workers < trial.to) {
    const { fullSince: _, ...open } = trial
    return { ...rest, trial: open }
  }
  const { fullSince = reading.at } = trial
  if (reading.at - fullSince < waitMs) return { ...rest, trial: { ...trial, fullSince } }
  const rate = endRate(history, reading.at - fullSince)
  const growth = trial.to / trial.from
  const helped = rate === undefined || rate >= trial.rate * (1 + ENOUGH * (growth - 1))
  if (helped || growth < WORTH) return { ...rest, strikes: 0 }
  if (reading.at < efficacy.trustedUntil) return rest
  const heldMs = HELD_MS * 2 ** Math.min(efficacy.strikes, MOST_DOUBLINGS)
  return {
    ...rest,
    strikes: efficacy.strikes + 1,
    held: { workers: trial.from, since: reading.at, until: reading.at + heldMs, rate },
  }
}

/** Held no longer when the time is over, when more ends again, or when the workers that were taken back are missed. */
function reconsider(efficacy: Efficacy, history: History, reading: Reading, waitMs: number): Efficacy {
  const { held, ...rest } = efficacy
  if (held === undefined) return efficacy
  if (reading.at >= held.until) return rest
  const passedMs = reading.at - held.since
  if (passedMs < 2 * waitMs) return efficacy
  const rate = endRate(history, waitMs)
  if (rate === undefined) return efficacy
  if (rate > held.rate * CHANGED) return { ...rest, strikes: 0 }
  const missed = (reading.ready ?? 0) > 0 && rate < held.rate / CHANGED
  return missed ? { ...rest, strikes: 0, trustedUntil: reading.at + TRUSTED_MS } : efficacy
}
