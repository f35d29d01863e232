import type { Efficacy } from './efficacy.ts'
import { grew, judge, mostOnTrial, noEfficacy, shrank } from './efficacy.ts'
import type { History } from './history.ts'
import { failedPart, meanRunIn, remember } from './history.ts'
import type { Reading } from './reading.ts'

/** How many jobs a worker may run at once. */
export interface SlotRange {
  readonly min: number
  readonly max: number
}

/** What one process tells of the time since it was asked before. */
export interface Pulse {
  /** Milliseconds of a clock that is never set back. */
  readonly at: number
  readonly running: number
  /** The part of its slots that was in use, 0 to 1, on the mean of the time. */
  readonly occupied: number
  /** Attempts that ended so far, failed ones too, and those that failed. */
  readonly ended: number
  readonly failed: number
  /** Mean run time of those that ended since it was asked before; null where none did. */
  readonly runMs: number | null
  /** How late the event loop was at the worst. */
  readonly loopMs: number
  /** The part of the time in which the event loop was busy, and of the memory of the host that is in use. */
  readonly cpu: number
  readonly memory: number
}

/**
 * Why so many slots: `steady` they are right · `full` all were busy, and more are tried · `trial` whether the last growth helped
 * is not known yet · `downstream` more slots did not end more jobs · `failures` too many attempts fail · `loop` the event loop is
 * late · `cpu` `memory` there is no room for more · `spare` few were busy for long · `limit` all were busy, and there are `max`
 */
export type SlotsReason =
  | 'steady'
  | 'full'
  | 'trial'
  | 'downstream'
  | 'failures'
  | 'loop'
  | 'cpu'
  | 'memory'
  | 'spare'
  | 'limit'

export interface SlotsDecision {
  readonly slots: number
  readonly reason: SlotsReason
  /** One sentence with the figures. */
  readonly text: string
}

/** What is kept from one decision to the next: plain data. */
export interface SlotsMemory {
  readonly slots?: number
  readonly history: History
  readonly efficacy: Efficacy
  /** Since when few slots were busy. */
  readonly spareSince?: number
  /** No growth until then: the event loop was late. */
  readonly restUntil?: number
}

/** Before the first decision. */
export const noSlotsMemory: SlotsMemory = { history: [], efficacy: noEfficacy }

/** From here on all slots count as busy: between two jobs one is free for a moment. */
const FULL = 0.9
const FEW = 0.5
const SPARE_MS = 30_000
/** Grown and shrunk by such a part, one at the least. */
const STEP = 0.25
const [LATE_MS, REST_MS] = [100, 10_000]
const [BUSY_CPU, FULL_MEMORY] = [0.9, 0.9]
const [FAILING, FAILURES_MS, FEW_ENDS] = [0.5, 30_000, 10]

interface Situation {
  readonly range: SlotRange
  readonly pulse: Pulse
  readonly before: number
  readonly runMs: number
  readonly memory: SlotsMemory
  readonly failed: number
}

type Choice = Omit<SlotsDecision, 'text'>

/** How many jobs one process should run at once, and why. Called about once a second. */
export function decideSlots(
  range: SlotRange,
  memory: SlotsMemory,
  pulse: Pulse,
): { decision: SlotsDecision; memory: SlotsMemory } {
  const before = Math.min(range.max, Math.max(range.min, memory.slots ?? range.min))
  const reading = readingOf(pulse, before)
  const history = remember(memory.history, reading)
  const runMs = meanRunIn(history, FAILURES_MS) ?? 0
  const isLate = pulse.loopMs > LATE_MS && pulse.running > 0
  const { spareSince, restUntil, ...rest } = memory
  const next: SlotsMemory = {
    ...rest,
    history,
    efficacy: judge(memory.efficacy, history, reading, { runMs }),
    ...(pulse.occupied < FEW ? { spareSince: spareSince ?? pulse.at } : {}),
    ...(isLate ? { restUntil: pulse.at + REST_MS } : restUntil === undefined ? {} : { restUntil }),
  }
  const failed = failedPart(history, FAILURES_MS, FEW_ENDS)
  const situation = { range, pulse, before, runMs, memory: next, failed }
  const choice = choose(situation)
  return {
    decision: { ...choice, text: textOf(choice, situation) },
    memory: after(choice, situation, reading),
  }
}

/** A process is to its slots what a pool is to its workers: something waits while all are busy. */
function readingOf({ at, running, occupied, ended, failed, runMs }: Pulse, slots: number): Reading {
  const isFull = occupied >= FULL
  const unknown = { dueSoon: null, oldestAgeMs: null, accepted: null }
  return { ...unknown, at, ready: isFull ? 1 : 0, running, ended, failed, runMs, workers: slots, starting: 0 }
}

function choose(situation: Situation): Choice {
  const { range, pulse, before, memory, failed } = situation
  const { held } = memory.efficacy
  const hold = (reason: SlotsReason): Choice => ({ slots: before, reason })
  const fewer = Math.max(range.min, before - Math.max(1, Math.floor(before * STEP)))
  if (pulse.loopMs > LATE_MS && pulse.running > 0) return { slots: fewer, reason: 'loop' }
  if (held !== undefined && held.workers < before)
    return { slots: Math.max(range.min, held.workers), reason: 'downstream' }
  if (failed > FAILING) return hold('failures')
  if (pulse.occupied >= FULL) return grow(situation)
  const isSpare = memory.spareSince !== undefined && pulse.at - memory.spareSince >= SPARE_MS
  return isSpare && before > range.min ? { slots: fewer, reason: 'spare' } : hold('steady')
}

function grow({ range, pulse, before, runMs, memory }: Situation): Choice {
  const hold = (reason: SlotsReason): Choice => ({ slots: before, reason })
  if (before >= range.max) return hold('limit')
  if (pulse.at < (memory.restUntil ?? pulse.at)) return hold('loop')
  if (pulse.cpu > BUSY_CPU) return hold('cpu')
  if (pulse.memory > FULL_MEMORY) return hold('memory')
  if (memory.efficacy.held !== undefined) return hold('downstream')
  const most = mostOnTrial(memory.efficacy, memory.history, pulse, { runMs }, before)
  if (before >= most) return hold('trial')
  const more = before + Math.max(1, Math.floor(before * STEP))
  return { slots: Math.min(range.max, most, more), reason: 'full' }
}

function after({ slots }: Choice, { before, memory, runMs }: Situation, reading: Reading): SlotsMemory {
  const { spareSince, ...rest } = memory
  if (slots === before) return { ...memory, slots }
  return {
    ...rest,
    slots,
    efficacy:
      slots > before
        ? grew(memory.efficacy, before, slots, memory.history, reading, { runMs })
        : shrank(memory.efficacy),
  }
}

function textOf({ slots, reason }: Choice, situation: Situation): string {
  const change =
    slots === situation.before ? `stays at ${slots} slots` : `${situation.before} to ${slots} slots`
  return `${change}: ${becauseOf[reason](situation)}`
}

const percent = (part: number): string => `${Math.round(part * 100)} %`

const becauseOf: Record<SlotsReason, (situation: Situation) => string> = {
  steady: ({ pulse }) => `${percent(pulse.occupied)} were busy`,
  full: ({ pulse }) => `${percent(pulse.occupied)} were busy`,
  trial: () => 'jobs run slower since there are more, and whether that helped is not known yet',
  downstream: ({ memory }) =>
    `more than ${memory.efficacy.held?.workers ?? 0} did not end more jobs, so something that they call is the bottleneck`,
  failures: ({ failed }) => `${percent(failed)} of the attempts fail`,
  loop: ({ pulse }) =>
    pulse.loopMs > LATE_MS
      ? `the event loop was ${Math.round(pulse.loopMs)} ms late: handlers that compute want isolate: 'thread', or more processes`
      : 'the event loop was late a moment ago',
  cpu: ({ pulse }) =>
    `the event loop is busy ${percent(pulse.cpu)} of the time: more processes would help, more slots would not`,
  memory: ({ pulse }) => `${percent(pulse.memory)} of the memory of this host is in use`,
  spare: () => `fewer than half were busy for ${SPARE_MS / 1000} s`,
  limit: ({ pulse, range }) => `${percent(pulse.occupied)} were busy, but ${range.max} are the most`,
}
