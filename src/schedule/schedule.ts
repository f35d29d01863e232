import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError, shown } from '../job/errors.ts'
import { checkKey, checkName } from '../job/id.ts'
import { checkPriority } from '../job/priority.ts'
import { checkKnown } from '../producer/job.ts'
import type { AnyTask, Task } from '../task.ts'
import type { Timing } from './calendar.ts'
import { checkCron } from './calendar.ts'
import type { CatchUp, Overlap } from './plan.ts'

export interface ScheduleOptions<Input> {
  readonly task: Task<Input, unknown>
  /** The input of every job; checked by the task's schema when the schedule is stored. */
  readonly input: NoInfer<Input>
  /** `minute hour day month weekday`, with seconds in front if need be: `'0 3 * * *'`. */
  readonly cron?: string
  /** Instead of `cron`: so much time between ticks, 10 ms at least, from when the schedule was first stored. */
  readonly every?: Duration
  /** Where `cron` is read, an IANA name. @default 'UTC' */
  readonly timeZone?: string
  /** What becomes of ticks missed by more than a minute. @default 'one' */
  readonly catchUp?: CatchUp
  /** What becomes of a tick while an earlier job of the schedule has not ended. @default 'allow' */
  readonly overlap?: Overlap
  /** 0 to 9, higher first. @default the task's */
  readonly priority?: number
  /** @default the task's; with overlap 'wait' and no other, the name of the schedule */
  readonly key?: string
  /** Stored paused when it is new; after that pause() and resume() decide. @default false */
  readonly paused?: boolean
}

/** A definition of repeated work: made by {@link schedule}. */
export interface Schedule {
  readonly name: string
  readonly task: AnyTask
  readonly input: unknown
  readonly timing: Timing
  readonly catchUp: CatchUp
  readonly overlap: Overlap
  readonly priority: number | undefined
  readonly key: string | undefined
  readonly paused: boolean
}

const LEAST_EVERY_MS = 10
const MOST_CAUGHT_UP = 1000

/** Defines a schedule: a task that is queued again and again. @throws OPTION_INVALID when an option cannot be used */
export function schedule<Input>(name: string, options: ScheduleOptions<Input>): Schedule {
  checkName('schedule', name)
  const { task, input, catchUp = 'one', overlap = 'allow', priority, key, paused = false } = options ?? {}
  if (typeof task?.name !== 'string' || typeof task.run !== 'function')
    throw new OffloadError('OPTION_INVALID', `schedule "${name}" needs a task made by task(name, { … })`)
  if (typeof paused !== 'boolean') throw unusable('paused', name, 'true or false', paused)
  return {
    name,
    task,
    input,
    timing: timingOf(name, options),
    catchUp: catchUpOf(name, catchUp),
    overlap: overlapOf(name, overlap),
    priority: priority === undefined ? undefined : checkPriority(priority),
    key: key === undefined ? undefined : checkKey(key),
    paused,
  }
}

function timingOf(
  name: string,
  options: Pick<ScheduleOptions<unknown>, 'cron' | 'every' | 'timeZone'>,
): Timing {
  const { cron, every, timeZone } = options
  if ((cron === undefined) === (every === undefined))
    throw new OffloadError(
      'OPTION_INVALID',
      `schedule "${name}" needs either cron, e.g. cron: '0 3 * * *', or every, e.g. every: '15m'`,
    )
  if (cron !== undefined) return checkCron(cron, timeZone ?? 'UTC')
  if (timeZone !== undefined)
    throw new OffloadError(
      'OPTION_INVALID',
      `timeZone of schedule "${name}" is for cron: every is the same everywhere`,
    )
  const everyMs = toMs(every as Duration, 'every')
  if (everyMs >= LEAST_EVERY_MS) return { everyMs }
  throw unusable('every', name, `at least ${LEAST_EVERY_MS} ms`, every)
}

function catchUpOf(name: string, catchUp: CatchUp): CatchUp {
  if (catchUp === 'skip' || catchUp === 'one') return catchUp
  const all: unknown = (catchUp as { all?: unknown } | null)?.all
  if (Number.isInteger(all) && Number(all) >= 1 && Number(all) <= MOST_CAUGHT_UP) return { all: Number(all) }
  throw unusable('catchUp', name, `"skip", "one" or { all: 1 to ${MOST_CAUGHT_UP} }`, catchUp)
}

function overlapOf(name: string, overlap: Overlap): Overlap {
  if (overlap === 'allow' || overlap === 'skip' || overlap === 'wait') return overlap
  throw unusable('overlap', name, '"allow", "skip" or "wait"', overlap)
}

function unusable(option: string, name: string, fits: string, value: unknown): OffloadError {
  return new OffloadError(
    'OPTION_INVALID',
    `${option} of schedule "${name}" must be ${fits}, not ${shown(value)}`,
  )
}

/** @throws OPTION_INVALID when two schedules have one name, TASK_UNKNOWN when the queue does not have the task of one */
export function checkSchedules(
  schedules: readonly Schedule[],
  tasks: ReadonlyMap<string, AnyTask>,
): readonly Schedule[] {
  const names = new Set<string>()
  for (const one of schedules) {
    if (typeof one?.name !== 'string' || one.timing === undefined)
      throw new OffloadError('OPTION_INVALID', 'schedules must be made by schedule(name, { … })')
    if (names.has(one.name))
      throw new OffloadError('OPTION_INVALID', `two schedules are called "${one.name}": rename one`)
    for (const needed of [one.task, ...one.task.onDone.map(({ task }) => task)]) checkKnown(needed, tasks)
    names.add(one.name)
  }
  return schedules
}
