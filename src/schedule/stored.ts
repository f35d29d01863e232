import type { Document } from '../documents.ts'
import { documentKinds } from '../documents.ts'
import { checkKey, checkName } from '../job/id.ts'
import { decode, encode, validate } from '../job/payload.ts'
import type { Calendar, Timing } from './calendar.ts'
import { calendarOf } from './calendar.ts'
import type { CatchUp, Overlap } from './plan.ts'
import type { Schedule } from './schedule.ts'

/** The kind of the documents that schedules are. */
export const KIND: string = documentKinds.schedules

/** What the code says of a schedule. When it is the same again, nothing is written. */
export interface Definition {
  readonly task: string
  /** JSON text of the input. */
  readonly payload: string
  readonly timing: Timing
  readonly catchUp: CatchUp
  readonly overlap: Overlap
  readonly priority?: number
  readonly key?: string
}

/** The value of a schedule's document. When it is due stands beside it, and not while it is paused. */
export interface Stored {
  readonly definition: Definition
  /** When this timing was first stored (ms): ticks by interval are counted from here. */
  readonly anchor: number
  readonly paused: boolean
  readonly lastTick?: number
  /** The newest jobs of the schedule: those that may not have ended. */
  readonly jobIds: readonly string[]
}

/** So many jobs are remembered with a schedule. */
const MOST_JOB_IDS = 10

/** The definition of a schedule, its input checked as `enqueue` would. @throws InputError, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE */
export async function definitionOf(schedule: Schedule, payloadBytes: number): Promise<Definition> {
  const { name, task, input, timing, catchUp, overlap, priority } = schedule
  const payload = encode(input, payloadBytes)
  await validate(task.input, input, task.name)
  const key = schedule.key ?? task.keyOf(input) ?? (overlap === 'wait' ? name : undefined)
  return {
    task: task.name,
    payload,
    timing,
    catchUp,
    overlap,
    ...(priority === undefined ? {} : { priority }),
    ...(key === undefined ? {} : { key: checkKey(key) }),
  }
}

/** What a document holds. Whoever can write the store may have written it, so nothing in it is taken on trust. @throws what is wrong */
export function storedIn({ name, value }: Document): Stored {
  checkName('schedule', name)
  const { definition, anchor, paused, lastTick, jobIds } = decode(value) as Stored
  const { task, payload, timing, catchUp, overlap, priority, key } = definition
  const fits =
    typeof task === 'string' &&
    typeof payload === 'string' &&
    typeof paused === 'boolean' &&
    Number.isSafeInteger(anchor) &&
    (lastTick === undefined || Number.isSafeInteger(lastTick)) &&
    Array.isArray(jobIds) &&
    jobIds.every((id) => typeof id === 'string') &&
    isTiming(timing) &&
    (catchUp === 'skip' || catchUp === 'one' || isWhole(catchUp.all)) &&
    (overlap === 'allow' || overlap === 'skip' || overlap === 'wait') &&
    (priority === undefined || (Number.isInteger(priority) && priority >= 0 && priority <= 9)) &&
    (key === undefined || typeof key === 'string')
  if (!fits) throw new TypeError('a field of it has a value that cannot be used')
  return { definition, anchor, paused, ...(lastTick === undefined ? {} : { lastTick }), jobIds }
}

function isTiming(timing: Timing): boolean {
  return 'everyMs' in timing
    ? isWhole(timing.everyMs)
    : typeof timing.cron === 'string' && typeof timing.timeZone === 'string'
}

function isWhole(value: unknown): boolean {
  return Number.isSafeInteger(value) && Number(value) > 0
}

/** @throws what is wrong with its timing, e.g. a time zone that this host does not know */
export function calendarIn({ definition, anchor }: Stored): Calendar {
  return calendarOf(definition.timing, anchor)
}

/** The schedule after it made jobs. `busy`: those before may not have ended. */
export function withJobs(stored: Stored, ids: readonly string[], before: readonly string[]): Stored {
  return { ...stored, jobIds: [...before, ...ids].slice(-MOST_JOB_IDS) }
}

/** What is stored of a schedule that is new, or changed; undefined when nothing is. Its place is kept unless its timing changed. */
export function changed(
  definition: Definition,
  paused: boolean,
  before: { readonly stored: Stored; readonly dueAt: number | undefined } | undefined,
  now: number,
): { readonly stored: Stored; readonly dueAt: number | undefined } | undefined {
  if (before !== undefined && isSame(definition, before.stored.definition)) return undefined
  if (before !== undefined && isSame(definition.timing, before.stored.definition.timing))
    return { stored: { ...before.stored, definition }, dueAt: before.dueAt }
  const fresh: Stored = { definition, anchor: now, paused, jobIds: [] }
  const stored = before === undefined ? fresh : { ...before.stored, definition, anchor: now }
  return { stored, dueAt: stored.paused ? undefined : calendarIn(stored).next(now) }
}

/** Objects that are made by the same code have their properties in the same order. */
function isSame(a: object, b: object): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
