import type { JobState } from '../job/job.ts'
import type { CronTiming, EveryTiming } from '../schedule/calendar.ts'
import type { CatchUp } from '../schedule/plan.ts'
import { LATE_MS } from '../schedule/plan.ts'
import type { ScheduleView } from '../schedule/schedules.ts'
import { jsonText } from './safe.ts'
import { pairs, table } from './table.ts'
import type { Line, Part } from './terminal.ts'
import { iso, relative } from './times.ts'

/** A schedule as `--json` tells of it: all that is known, times in ISO. */
export function scheduleJson(schedule: ScheduleView): object {
  const { nextAt, lastTick } = schedule
  return {
    ...schedule,
    ...(nextAt === undefined ? {} : { nextAt: iso(nextAt) }),
    ...(lastTick === undefined ? {} : { lastTick: iso(lastTick) }),
  }
}

/** When it ticks, in the words of its definition: `0 3 * * * Europe/Berlin`, `every 15m`. */
export function whenOf(timing: CronTiming | EveryTiming): string {
  return 'everyMs' in timing ? `every ${duration(timing.everyMs)}` : `${timing.cron} ${timing.timeZone}`
}

const UNITS = [
  [86_400_000, 'd'],
  [3_600_000, 'h'],
  [60_000, 'm'],
  [1000, 's'],
] as const

/** A duration as code writes it, nothing cut: `90s`. */
function duration(ms: number): string {
  const [size, unit] = UNITS.find(([each]) => ms % each === 0) ?? [1, 'ms']
  return `${ms / size}${unit}`
}

export function listed(schedules: readonly ScheduleView[], now: number): Line[] {
  return table(
    [
      { title: 'NAME' },
      { title: 'WHEN', most: 60 },
      { title: 'TASK', most: 40 },
      { title: 'NEXT' },
      { title: 'LAST' },
    ],
    schedules.map((schedule) => [
      schedule.name,
      whenOf(timingOf(schedule)),
      schedule.task,
      nextPart(schedule, now),
      schedule.lastTick === undefined ? '-' : relative(schedule.lastTick, now),
    ]),
  )
}

export function aboutSchedule(
  schedule: ScheduleView,
  lastJobState: JobState | undefined,
  now: number,
): Line[] {
  const { name, task, catchUp, overlap, priority, key, paused, nextAt, lastTick, lastJobId, input } = schedule
  const time = (at: number): string => `${relative(at, now).padEnd(12)} ${iso(at)}`
  const entries: readonly (readonly [string, Part | undefined])[] = [
    ['name', name],
    ['when', whenOf(timingOf(schedule))],
    ['task', task],
    ['catch up', catchUpText(catchUp)],
    ['overlap', overlap],
    ['priority', priority === undefined ? undefined : String(priority)],
    ['key', key],
    ['next', paused || nextAt === undefined ? nextPart(schedule, now) : time(nextAt)],
    ['last tick', lastTick === undefined ? undefined : time(lastTick)],
    ['last job', lastJobId === undefined ? undefined : `${lastJobId}, ${lastJobState ?? 'forgotten'}`],
    ['input', jsonText(input)],
  ]
  return pairs(entries.flatMap(([title, part]) => (part === undefined ? [] : [[title, part] as const])))
}

/** The ticks to come, in UTC and on the clocks of the schedule's zone. */
export function ticksListed(ticks: readonly number[], { timeZone }: ScheduleView, now: number): Line[] {
  const local =
    timeZone === undefined || timeZone === 'UTC'
      ? undefined
      : new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'medium', timeZone })
  const rows = ticks.map((tick) => [
    iso(tick),
    ...(local === undefined ? [] : [`${local.format(tick)} ${timeZone}`]),
    relative(tick, now),
  ])
  const titles = rows[0]?.map(() => ({ title: '' })) ?? []
  return table(titles, rows).slice(1)
}

function timingOf({ cron = '', timeZone = 'UTC', every }: ScheduleView): CronTiming | EveryTiming {
  return every === undefined ? { cron, timeZone } : { everyMs: every }
}

/** A tick that is late is one that no worker makes. */
function nextPart({ paused, nextAt }: ScheduleView, now: number): Part {
  if (paused) return { text: 'paused', style: 'yellow' }
  if (nextAt === undefined) return { text: 'never', style: 'yellow' }
  const text = relative(nextAt, now)
  return now - nextAt > LATE_MS ? { text: `due ${text}`, style: 'red' } : text
}

function catchUpText(catchUp: CatchUp): string {
  return typeof catchUp === 'string' ? catchUp : `all, up to ${catchUp.all}`
}
