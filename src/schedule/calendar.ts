import { Cron } from 'croner'
import { OffloadError, shown } from '../job/errors.ts'

/** When a schedule ticks: by a cron expression read in a time zone, or every so many milliseconds. */
export type Timing = CronTiming | EveryTiming

export interface CronTiming {
  readonly cron: string
  readonly timeZone: string
}

export interface EveryTiming {
  readonly everyMs: number
}

/** The ticks of a schedule, in milliseconds since the epoch. */
export interface Calendar {
  /** The first tick after an instant; undefined when there is none before the year 10000. */
  next(after: number): number | undefined
  /** The newest ticks from `from` to `to`, both included, at most so many, the oldest first. */
  newest(count: number, from: number, to: number): readonly number[]
}

/** @param anchor an instant at which a schedule by interval ticks; the others do not need it */
export function calendarOf(timing: Timing, anchor: number): Calendar {
  return 'everyMs' in timing ? everyCalendar(timing.everyMs, anchor) : cronCalendar(timing)
}

/** Ticks lie on both sides of the anchor, so that an anchor set by a clock that was ahead does no harm. */
function everyCalendar(everyMs: number, anchor: number): Calendar {
  const last = (to: number): number => anchor + Math.floor((to - anchor) / everyMs) * everyMs
  return {
    next: (after) => last(after) + everyMs,
    newest(count, from, to) {
      const ticks: number[] = []
      for (let tick = last(to); tick >= from && ticks.length < count; tick -= everyMs) ticks.unshift(tick)
      return ticks
    },
  }
}

/** Parsed expressions that are kept; more are parsed again. */
const MOST_KEPT = 10_000
const kept = new Map<string, CronCalendar>()

function cronCalendar(timing: CronTiming): Calendar {
  const id = `${timing.timeZone} ${timing.cron}`
  let calendar = kept.get(id)
  if (calendar === undefined) {
    calendar = new CronCalendar(timing)
    if (kept.size >= MOST_KEPT) kept.clear()
    kept.set(id, calendar)
  }
  return calendar
}

const SECOND_MS = 1000

class CronCalendar implements Calendar {
  readonly #cron: Cron
  /** The last answer: schedules that share an expression mostly ask the same. */
  #asked: number | undefined
  #answer: number | undefined

  /** @throws when the expression cannot be read, or the time zone is not known */
  constructor({ cron, timeZone }: CronTiming) {
    if (!isTimeZone(timeZone)) throw unknownZone(timeZone)
    this.#cron = new Cron(cron, { timezone: timeZone, mode: '5-or-6-parts', fixedTimeRule: 'no-wildcard' })
  }

  next(after: number): number | undefined {
    if (after !== this.#asked) {
      this.#answer = this.#cron.nextRun(new Date(after))?.getTime()
      this.#asked = after
    }
    return this.#answer
  }

  newest(count: number, from: number, to: number): readonly number[] {
    const second = new Date(Math.floor(to / SECOND_MS) * SECOND_MS + SECOND_MS)
    const before = this.#cron.previousRuns(count, second).map((date) => date.getTime())
    return before.filter((tick) => tick >= from && tick <= to).reverse()
  }
}

const LONGEST_CRON = 200
const NICKNAMES = ['@yearly', '@annually', '@monthly', '@weekly', '@daily', '@midnight', '@hourly']

/** @throws OPTION_INVALID for an expression that cannot be read or never ticks, and for an unknown time zone */
export function checkCron(cron: string, timeZone: string): CronTiming {
  if (!isTimeZone(timeZone)) throw unknownZone(timeZone)
  if (typeof cron !== 'string' || cron.length > LONGEST_CRON || !looksLikeCron(cron)) throw unreadable(cron)
  const expression = cron.trim().replace(/\s+/g, ' ')
  const timing = { cron: expression, timeZone }
  let first: number | undefined
  try {
    first = cronCalendar(timing).next(Date.now())
  } catch (error) {
    throw unreadable(cron, error)
  }
  if (first !== undefined) return timing
  throw new OffloadError('OPTION_INVALID', `cron ${shown(cron)} never ticks: no date fits it`)
}

function looksLikeCron(cron: string): boolean {
  const parts = cron.trim().split(/\s+/)
  return parts.length === 5 || parts.length === 6 || NICKNAMES.includes(cron.trim().toLowerCase())
}

function unknownZone(timeZone: unknown): OffloadError {
  return new OffloadError(
    'OPTION_INVALID',
    `timeZone ${shown(timeZone)} is not known here: take an IANA name such as "Europe/Berlin" or "UTC"`,
  )
}

function unreadable(cron: unknown, cause?: unknown): OffloadError {
  const reason =
    cause instanceof Error ? ` (${cause.message.replace(/^CronPattern: /, '').slice(0, 200)})` : ''
  return new OffloadError(
    'OPTION_INVALID',
    `cron ${shown(cron)} cannot be read${reason}: take "minute hour day month weekday" such as "0 3 * * *", with seconds in front if need be, or ${NICKNAMES.join(', ')}`,
    cause === undefined ? {} : { cause },
  )
}

function isTimeZone(timeZone: unknown): timeZone is string {
  if (typeof timeZone !== 'string') return false
  try {
    return new Intl.DateTimeFormat('en', { timeZone }).resolvedOptions().timeZone !== ''
  } catch {
    return false
  }
}
