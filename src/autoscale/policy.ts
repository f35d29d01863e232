import type { Demand, Order, SlotFactor } from './demand.ts'
import { demandOf, slotFactorOf } from './demand.ts'
import type { Efficacy } from './efficacy.ts'
import { grew, judge, mostOnTrial, noEfficacy, shrank } from './efficacy.ts'
import type { History } from './history.ts'
import { failedPart, remember } from './history.ts'
import type { Reading } from './reading.ts'
import { textOf, textOfUnread } from './text.ts'

export interface Plan {
  readonly min: number
  readonly max: number
  /** Jobs that one worker runs at once. */
  readonly slots: number
  /** No job is to wait longer for its start. */
  readonly targetAgeMs: number
  /** From the order of a worker to its first claim. @default 2000 */
  readonly startMs?: number
  /** Of one job, until the first has ended. @default 1000 */
  readonly runMs?: number
  /** A worker is retired when it was spare for so long. @default three times startMs, 10 s at the least */
  readonly lingerMs?: number
  /** Nothing changes while more than this part of the attempts fails. @default 0.5 */
  readonly failing?: number
  /** Workers after `fallbackAfter` readings in a row could not be taken. @default as many as there are */
  readonly fallback?: number
  /** @default 30 */
  readonly fallbackAfter?: number
}

/**
 * Why so many workers: `steady` they are right · `backlog` what comes and waits takes more · `age` the oldest job will be near
 * or over the target age · `spare` fewer do · `linger` fewer would do, but not for long enough yet · `idle` nothing is ready,
 * running or due · `due` the last one stays for scheduled jobs · `failures` too many attempts fail · `downstream` more workers
 * did not end more jobs · `trial` jobs run slower since it grew, so that is judged first · `host` this host is full · `blind` nothing could be read · `fallback` so often that a fixed number
 * is taken · `limit` more than `max` would be right
 */
export type Reason =
  | 'steady'
  | 'backlog'
  | 'age'
  | 'spare'
  | 'linger'
  | 'idle'
  | 'due'
  | 'failures'
  | 'downstream'
  | 'trial'
  | 'host'
  | 'blind'
  | 'fallback'
  | 'limit'

export interface Decision {
  readonly workers: number
  readonly reason: Reason
  /** One sentence with the figures. */
  readonly text: string
}

/** What the policy keeps from one decision to the next: plain data. */
export interface Memory {
  /** What was decided last. */
  readonly workers?: number
  readonly history: History
  readonly efficacy: Efficacy
  /** What kept up lately. */
  readonly wanted: readonly Order[]
  /** Workers that may still be starting. */
  readonly orders: readonly Order[]
  readonly shrankAt?: number
  /** How many times its run time a job took its slot, when that was seen last. */
  readonly slotFactor?: SlotFactor
  /** Readings in a row that could not be taken. */
  readonly missed: number
}

/** Before the first decision. */
export const noMemory: Memory = { history: [], efficacy: noEfficacy, wanted: [], orders: [], missed: 0 }

/** What a decision is made from. */
export interface Situation {
  readonly plan: Plan
  readonly reading: Reading
  /** What was decided before. */
  readonly before: number
  readonly demand: Demand
  /** What would be right now, not bounded by `max`. */
  readonly right: number
  /** The most that was right while a spare worker lingers. */
  readonly highest: number
  readonly memory: Memory
  readonly failed: number
}

interface Choice {
  readonly workers: number
  readonly reason: Reason
}

/** So much more or less than what is right is right too, while no job is old. */
const DEAD_BAND = 0.1
/** Part of the workers that is retired at once, at the most. */
const STEP_DOWN = 0.25
const [FULL_CPU, FULL_MEMORY] = [0.85, 0.8]
/** Start-up times that are longer than planned are reckoned with up to so many times. */
const ORDERS_KEPT = 3
const [FAILURES_MS, FEW_ENDS] = [30_000, 10]

/**
 * How many workers there should be, from `min` to `max`, and why. Called about once a second with the memory of the call before.
 * `reading` undefined: it could not be taken.
 */
export function decide(
  plan: Plan,
  memory: Memory,
  reading: Reading | undefined,
): { decision: Decision; memory: Memory } {
  const known = reading === undefined ? 0 : reading.workers + reading.starting
  const before = within(plan, memory.workers ?? known)
  if (reading === undefined || reading.ready === null) {
    const missed = memory.missed + 1
    const choice = unread(plan, before, memory, missed)
    return {
      decision: { ...choice, text: textOfUnread(choice, missed) },
      memory: { ...memory, workers: choice.workers, missed },
    }
  }
  const situation = situationOf(plan, memory, reading, before)
  const choice = choose(situation)
  const { workers } = choice
  const { efficacy, orders } = situation.memory
  const more = workers - before
  return {
    decision: { ...choice, text: textOf(choice, situation) },
    memory: {
      ...situation.memory,
      workers,
      ...(more > 0
        ? {
            efficacy: grew(efficacy, before, workers, situation.memory.history, reading, situation.demand),
            orders: [...orders, { at: reading.at, workers: more }],
          }
        : {}),
      ...(more < 0 ? { efficacy: shrank(efficacy), shrankAt: reading.at } : {}),
    },
  }
}

/** No data is not no load: as many as there are or were right lately, and a few more, for nobody will see a backlog. */
function unread(plan: Plan, before: number, { wanted, missed: already }: Memory, missed: number): Choice {
  const { fallback, fallbackAfter = 30 } = plan
  if (fallback !== undefined && missed >= fallbackAfter)
    return { workers: within(plan, fallback), reason: 'fallback' }
  const lately = Math.max(0, ...wanted.map(({ workers }) => workers))
  const safe = already === 0 ? Math.max(before, lately * (1 + DEAD_BAND)) : before
  return { workers: within(plan, safe), reason: 'blind' }
}

function situationOf(plan: Plan, memory: Memory, reading: Reading, before: number): Situation {
  const startMs = plan.startMs ?? 2000
  const history = remember(memory.history, reading)
  const orders = memory.orders.filter(({ at }) => at > reading.at - ORDERS_KEPT * startMs)
  const slotFactor = slotFactorOf(plan.slots, memory.slotFactor, history, reading)
  const aim = { ...plan, startMs, runMs: plan.runMs ?? 1000, slotFactor: slotFactor?.factor }
  const demand = demandOf(aim, history, orders, reading)
  const whole = (workers: number): number =>
    Math.max(leastOf(reading), Math.ceil(Math.min(workers, plan.max + 1) - 1e-9))
  const right = whole(demand.workers)
  const lingerMs = plan.lingerMs ?? Math.max(10_000, 3 * startMs)
  const earlier = memory.wanted.length === 0 ? [{ at: reading.at, workers: before }] : memory.wanted
  const wanted = [...earlier, { at: reading.at, workers: whole(demand.keepUp) }].filter(
    ({ at }) => at > reading.at - lingerMs && at <= reading.at,
  )
  const { slotFactor: _, ...kept } = memory
  return {
    plan,
    reading,
    before,
    demand,
    right,
    highest: Math.max(...wanted.map(({ workers }) => workers)),
    memory: {
      ...kept,
      ...(slotFactor === undefined ? {} : { slotFactor }),
      history,
      wanted,
      efficacy: judge(memory.efficacy, history, reading, demand),
      missed: 0,
    },
    failed: failedPart(history, FAILURES_MS, FEW_ENDS),
  }
}

/** None only where it is certain that nothing is ready, running or due. */
function leastOf({ ready, running, dueSoon }: Reading): number {
  return ready === 0 && running === 0 && dueSoon === 0 ? 0 : 1
}

function choose(situation: Situation): Choice {
  const { plan, before, right, demand, memory, failed } = situation
  const { held } = memory.efficacy
  if (held !== undefined && held.workers < before)
    return { workers: within(plan, held.workers), reason: 'downstream' }
  if (failed > (plan.failing ?? 0.5)) return { workers: before, reason: 'failures' }
  const isMuch = right > before * (1 + DEAD_BAND) || demand.isHurried || before === 0
  return right > before && isMuch ? grow(situation) : shrink(situation)
}

function grow({ plan, reading, before, right, demand, memory }: Situation): Choice {
  const { held } = memory.efficacy
  const hold = (reason: Reason): Choice => ({ workers: before, reason })
  if (before >= plan.max) return hold('limit')
  if (held !== undefined) return hold('downstream')
  if ((reading.host?.cpu ?? 0) > FULL_CPU || (reading.host?.memory ?? 0) > FULL_MEMORY) return hold('host')
  const onTrial = mostOnTrial(memory.efficacy, memory.history, reading, demand, before)
  if (before >= onTrial) return hold('trial')
  const workers = within(plan, Math.min(right, onTrial, Math.max(1, before * doubled(memory.history))))
  return { workers, reason: demand.isHurried ? 'age' : 'backlog' }
}

/** Twice as many a second, whatever the distance of two readings. */
function doubled(history: History): number {
  const [one, other] = history.slice(-2)
  if (one === undefined || other === undefined) return 2
  return 2 ** Math.min(10, Math.max(1, (other.at - one.at) / 1000))
}

function shrink({ plan, reading, before, right, highest, demand, memory }: Situation): Choice {
  const hold = (reason: Reason): Choice => ({ workers: before, reason })
  const least = Math.max(plan.min, highest, Math.ceil(before * (1 - STEP_DOWN)) - 1)
  const isLittle = (workers: number): boolean => workers > before * (1 - DEAD_BAND / 2)
  if (before === plan.min || isLittle(right) || demand.isHurried)
    return hold(plan.min === 0 && before === 1 && isOnlyDue(reading) ? 'due' : 'steady')
  const restMs = Math.max(1000, (plan.startMs ?? 2000) / 2)
  const isSoon = memory.shrankAt !== undefined && reading.at - memory.shrankAt < restMs
  const isJudged = memory.efficacy.trial !== undefined && reading.ready !== 0
  if (isLittle(highest) || isSoon || isJudged) return hold('linger')
  const workers = within(plan, least)
  return { workers, reason: workers === 0 ? 'idle' : 'spare' }
}

const isOnlyDue = ({ ready, running, dueSoon }: Reading): boolean =>
  ready === 0 && running === 0 && dueSoon !== 0

function within({ min, max }: Pick<Plan, 'min' | 'max'>, workers: number): number {
  return Math.max(min, Math.min(max, Math.ceil(workers)))
}
