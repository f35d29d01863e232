import type { Document, DocumentChange } from '../documents.ts'
import { OffloadError } from '../job/errors.ts'
import { tickId } from '../job/id.ts'
import type { Job } from '../job/job.ts'
import { isEnded } from '../job/job.ts'
import type { Ledger } from '../ledger.ts'
import type { Making } from '../producer/job.ts'
import { followUpsOf } from '../producer/job.ts'
import type { AnyTask } from '../task.ts'
import type { Calendar } from './calendar.ts'
import { placeAnew, plan } from './plan.ts'
import type { Definition, Stored } from './stored.ts'
import { calendarIn, storedIn, withJobs } from './stored.ts'

/** A schedule that is due here. */
export interface Tick {
  readonly document: Document
  readonly dueAt: number
  readonly stored: Stored
  readonly calendar: Calendar
  readonly task: AnyTask
}

/** At most so many ticks that are not late are made of one schedule at a time. */
const MOST_TICKS = 1000
/** As many as a page of the ledger holds. */
const FIND = 1000

/** @throws TASK_UNKNOWN, and what else makes the schedule unusable here */
export function tickIn(document: Document, tasks: ReadonlyMap<string, AnyTask>): Tick | undefined {
  if (document.dueAt === undefined) return undefined
  const stored = storedIn(document)
  const task = taskOf(stored.definition, tasks)
  return { document, dueAt: document.dueAt, stored, calendar: calendarIn(stored), task }
}

/** @throws TASK_UNKNOWN */
export function taskOf({ task: name }: Definition, tasks: ReadonlyMap<string, AnyTask>): AnyTask {
  const task = tasks.get(name)
  if (task !== undefined) return task
  throw new OffloadError(
    'TASK_UNKNOWN',
    `its task ${JSON.stringify(name)} is not among those of this queue`,
    {
      task: name,
    },
  )
}

/** What is to be written of a schedule that is due. */
export function changeOf(
  { document, stored, calendar, task, dueAt }: Tick,
  making: Making,
  busy: ReadonlySet<string>,
): DocumentChange {
  const { kind, name, version } = document
  const { definition, jobIds } = stored
  const { catchUp, overlap } = definition
  const { now } = making
  const next = plan({ calendar, catchUp, overlap, dueAt, now, most: MOST_TICKS })
  const isBusy = overlap === 'skip' && jobIds.some((id) => busy.has(id))
  const jobs = isBusy ? [] : next.ticks.map((tick) => jobOf(tickId(name, tick), definition, task, making))
  const lastTick = isBusy ? undefined : next.ticks.at(-1)
  const ids = jobs.map(({ id }) => id)
  const after = lastTick === undefined ? stored : { ...withJobs(stored, ids.slice(-1), []), lastTick }
  return {
    kind,
    name,
    expected: version,
    value: JSON.stringify(after),
    ...(next.dueAt === undefined ? {} : { dueAt: next.dueAt }),
    ...(jobs.length === 0 ? {} : { jobs }),
  }
}

/** The job of a schedule, made as `enqueue` makes one. */
export function jobOf(id: string, definition: Definition, task: AnyTask, making: Making): Job {
  const { payload, priority = task.priority, key } = definition
  return {
    id,
    task: task.name,
    queue: task.queue,
    payload,
    priority,
    createdAt: making.now,
    maxAttempts: task.retry.attempts,
    ...(key === undefined ? {} : { key }),
    ...(task.onDone.length === 0 ? {} : { onDone: followUpsOf(task.onDone, making) }),
  }
}

/** The jobs that have not ended, of the schedules whose jobs must not overlap. */
export async function busyOf(
  ticks: readonly Tick[],
  ledger: Ledger | undefined,
): Promise<ReadonlySet<string>> {
  const ids = ticks.flatMap(({ stored }) => (stored.definition.overlap === 'skip' ? stored.jobIds : []))
  const busy = new Set<string>()
  for (let at = 0; at < ids.length && ledger !== undefined; at += FIND) {
    const { jobs } = await ledger.find({ ids: ids.slice(at, at + FIND), limit: FIND })
    for (const { id, state } of jobs) if (!isEnded(state)) busy.add(id)
  }
  return busy
}

/** What is to be written of a schedule that was placed while the clock was ahead; undefined when it stands right. */
export function placedAnew(document: Document, now: number): DocumentChange | undefined {
  const { kind, name, version, value, dueAt } = document
  if (dueAt === undefined || dueAt <= now) return undefined
  const place = placeAnew(calendarIn(storedIn(document)), dueAt, now)
  return place === undefined ? undefined : { kind, name, expected: version, value, dueAt: place }
}
