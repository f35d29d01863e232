import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'

/** When a queue is slowed to a probe because its jobs fail. */
export interface CircuitOptions {
  /** The share of attempts that fail, above 0 and at most 1. @default 0.5 */
  readonly failures?: number
  /** So many attempts must have ended within the window, or nothing is judged. @default 20 */
  readonly least?: number
  /** @default '30s' */
  readonly window?: Duration
  /** How long nothing is started before one job is tried; doubled, up to 16 times, while that fails. @default '5s' */
  readonly probe?: Duration
}

/** What a circuit goes by, checked. */
export interface CircuitPlan {
  readonly failures: number
  readonly least: number
  readonly windowMs: number
  readonly probeMs: number
}

/**
 * `closed`: jobs are started as they come. `open`: none until `until`. `probing`: one at a time, and the first that ends well
 * closes it.
 */
export type CircuitState =
  | { readonly type: 'closed'; readonly now: Tally; readonly before: Tally }
  | { readonly type: 'open'; readonly until: number; readonly tries: number }
  | { readonly type: 'probing'; readonly tries: number }

/** Attempts that ended in one half of a window. */
interface Tally {
  readonly from: number
  readonly ended: number
  readonly failed: number
}

const MOST_DOUBLINGS = 4

/** @throws OPTION_INVALID */
export function circuitPlan(options: CircuitOptions): CircuitPlan {
  const { failures = 0.5, least = 20 } = options
  if (!(failures > 0 && failures <= 1))
    throw new OffloadError(
      'OPTION_INVALID',
      `circuit.failures must be above 0 and at most 1, not ${String(failures)}`,
    )
  if (!Number.isInteger(least) || least < 1)
    throw new OffloadError(
      'OPTION_INVALID',
      `circuit.least must be a whole number above 0, not ${String(least)}`,
    )
  return {
    failures,
    least,
    windowMs: toMs(options.window ?? '30s', 'circuit.window'),
    probeMs: toMs(options.probe ?? '5s', 'circuit.probe'),
  }
}

export function closedAt(now: number): CircuitState {
  return {
    type: 'closed',
    now: { from: now, ended: 0, failed: 0 },
    before: { from: now, ended: 0, failed: 0 },
  }
}

/** An attempt of the queue has ended at `now` (ms of a clock that is never set back). */
export function afterEnd(
  plan: CircuitPlan,
  state: CircuitState,
  now: number,
  isFailure: boolean,
): CircuitState {
  switch (state.type) {
    case 'closed':
      return judged(plan, counted(plan, state, now, isFailure), now)
    case 'probing':
      return isFailure ? openAt(plan, now, state.tries + 1) : closedAt(now)
    case 'open':
      // One that was running when it opened.
      return state
  }
}

/** Time has passed. */
export function afterTime(state: CircuitState, now: number): CircuitState {
  return state.type === 'open' && now >= state.until ? { type: 'probing', tries: state.tries } : state
}

/** How many jobs of the queue may be at hand at once. */
export function most(state: CircuitState): number {
  return { closed: Number.POSITIVE_INFINITY, open: 0, probing: 1 }[state.type]
}

function openAt({ probeMs }: CircuitPlan, now: number, tries: number): CircuitState {
  return { type: 'open', until: now + probeMs * 2 ** Math.min(tries, MOST_DOUBLINGS), tries }
}

type Closed = Extract<CircuitState, { type: 'closed' }>

function counted({ windowMs }: CircuitPlan, state: Closed, now: number, isFailure: boolean): Closed {
  const half = windowMs / 2
  const isOver = now - state.now.from >= half
  const fresh = { from: now, ended: 0, failed: 0 }
  const before = !isOver ? state.before : now - state.now.from < windowMs ? state.now : fresh
  const { from, ended, failed } = isOver ? fresh : state.now
  return { type: 'closed', now: { from, ended: ended + 1, failed: failed + (isFailure ? 1 : 0) }, before }
}

function judged(plan: CircuitPlan, state: Closed, now: number): CircuitState {
  const ended = state.now.ended + state.before.ended
  const failed = state.now.failed + state.before.failed
  return ended >= plan.least && failed / ended >= plan.failures ? openAt(plan, now, 0) : state
}
