import type { Calendar } from './calendar.ts'

/**
 * What becomes of ticks that came while nobody looked: `skip` runs none of them, `one` the newest of them once, `all` the
 * newest so many.
 */
export type CatchUp = 'skip' | 'one' | { readonly all: number }

/**
 * What becomes of a tick while an earlier job of the schedule has not ended: `allow` runs both, `skip` makes no new job,
 * `wait` lets it wait for the earlier one.
 */
export type Overlap = 'allow' | 'skip' | 'wait'

/** A tick that is older is late: it is up to `catchUp`. Younger ones run whatever it says. */
export const LATE_MS = 60_000

export interface Plan {
  /** The ticks to run now, the oldest first. */
  readonly ticks: readonly number[]
  /** The next tick to look at; undefined when there will be none. */
  readonly dueAt: number | undefined
}

export interface Question {
  readonly calendar: Calendar
  readonly catchUp: CatchUp
  readonly overlap: Overlap
  /** The first tick that nobody has looked at yet. */
  readonly dueAt: number
  readonly now: number
  /** At most so many ticks that are not late; what is left is due at once. */
  readonly most: number
}

/** Which ticks of a schedule run now, and when to look again. */
export function plan({ calendar, catchUp, overlap, dueAt, now, most }: Question): Plan {
  const isLate = now - dueAt > LATE_MS
  const onTime: number[] = []
  let next: number | undefined = isLate ? calendar.next(now - LATE_MS - 1) : dueAt
  for (; next !== undefined && next <= now && onTime.length < most; next = calendar.next(next))
    onTime.push(next)
  const late = isLate ? calendar.newest(lateOnes(catchUp, onTime.length), dueAt, now - LATE_MS - 1) : []
  const ticks = [...late, ...onTime]
  return { ticks: overlap === 'skip' ? ticks.slice(-1) : ticks, dueAt: next }
}

/** A tick on time makes up for the ones before it. */
function lateOnes(catchUp: CatchUp, onTime: number): number {
  if (catchUp === 'one') return onTime === 0 ? 1 : 0
  return catchUp === 'skip' ? 0 : catchUp.all
}

/**
 * Where a schedule belongs that was placed while the clock was ahead: its instant lies further off than its own calendar
 * says. Undefined when it stands right.
 */
export function placeAnew(calendar: Calendar, dueAt: number, now: number): number | undefined {
  const next = calendar.next(now)
  return next !== undefined && next < dueAt ? next : undefined
}
