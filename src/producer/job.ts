import { createHash } from 'node:crypto'
import { toMs } from '../duration.ts'
import { OffloadError, shown } from '../job/errors.ts'
import { checkId, checkKey } from '../job/id.ts'
import type { FollowUp, Idempotency, Job } from '../job/job.ts'
import { encode, validate } from '../job/payload.ts'
import { checkPriority } from '../job/priority.ts'
import type { AnyTask, DoneTask, EnqueueOptions } from '../task.ts'
import { onDoneOf } from '../task.ts'

/** What making a job needs besides what the caller says. */
export interface Making {
  readonly now: number
  readonly newId: (now: number) => string
  readonly payloadBytes: number
  readonly tasks: ReadonlyMap<string, AnyTask>
}

/** Checks everything about a job before the backend sees it. @throws the coded error of what is wrong */
export function makeJob(
  task: AnyTask,
  input: unknown,
  options: EnqueueOptions,
  making: Making,
): Job | Promise<Job> {
  const payload = encode(input, making.payloadBytes)
  const checked = validate(task.input, input, task.name)
  return checked instanceof Promise
    ? checked.then(() => jobOf(task, input, payload, options, making))
    : jobOf(task, input, payload, options, making)
}

/** The job of an input that fits: a key is told from no other. */
function jobOf(task: AnyTask, input: unknown, payload: string, options: EnqueueOptions, making: Making): Job {
  const { now, newId } = making
  const key = options.key ?? task.keyOf(input)
  const runAt = runAtOf(options, now)
  const id = options.id === undefined ? newId(now) : checkId(options.id)
  const onDone = options.onDone === undefined ? task.onDone : onDoneOf(options.onDone)
  const job: { -readonly [K in keyof Job]: Job[K] } = {
    id,
    task: task.name,
    queue: task.queue,
    payload,
    priority: options.priority === undefined ? task.priority : checkPriority(options.priority),
    createdAt: now,
    maxAttempts: task.retry.attempts,
  }
  if (key !== undefined) job.key = checkKey(key)
  if (runAt !== undefined) job.runAt = runAt
  if (options.deadline !== undefined) job.deadline = deadlineOf(options.deadline, now)
  if (options.trace !== undefined) job.trace = checkTrace(options.trace)
  if (options.tenant !== undefined) job.tenant = checkText(options.tenant, 'tenant', 200)
  if (options.idempotencyKey !== undefined) job.idempotency = idempotencyOf(options, task, payload)
  if (onDone.length > 0) job.onDone = followUpsOf(onDone, making)
  return job
}

/** @throws TASK_UNKNOWN */
export function checkKnown(task: AnyTask, tasks: ReadonlyMap<string, AnyTask>): void {
  if (tasks.get(task?.name) === task) return
  throw new OffloadError(
    'TASK_UNKNOWN',
    `task ${JSON.stringify(task?.name)} is not among the tasks of this queue: pass it in offload({ tasks: [...] })`,
  )
}

function runAtOf({ delay, runAt }: EnqueueOptions, now: number): number | undefined {
  if (delay !== undefined && runAt !== undefined)
    throw new OffloadError('OPTION_INVALID', 'give delay or runAt, not both')
  if (delay !== undefined) return Math.round(now + toMs(delay, 'delay'))
  return runAt === undefined ? undefined : instant(runAt, 'runAt')
}

function deadlineOf(deadline: NonNullable<EnqueueOptions['deadline']>, now: number): number {
  return deadline instanceof Date
    ? instant(deadline, 'deadline')
    : Math.round(now + toMs(deadline, 'deadline'))
}

/** Years 1970 to 9999. */
const LAST_INSTANT = 253_402_300_799_999

function instant(value: Date | number, option: string): number {
  const ms = Math.round(Number(value))
  if (ms >= 0 && ms <= LAST_INSTANT) return ms
  throw new OffloadError(
    'OPTION_INVALID',
    `${option} must be a Date or milliseconds since 1970, not ${String(value)}`,
  )
}

function checkTrace(trace: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const size = Object.entries(trace).reduce(
    (sum, [name, value]) => sum + name.length + (typeof value === 'string' ? value.length : Number.NaN),
    0,
  )
  if (size <= 2048 && Object.keys(trace).every((name) => Buffer.byteLength(name) <= 200)) return trace
  throw new OffloadError(
    'OPTION_INVALID',
    'trace must be an object of strings, 2048 characters in all at most, and 200 bytes in a name: it travels in headers',
  )
}

/** The key is kept as a digest: of one length, and of no use to who reads the store. */
function idempotencyOf(options: EnqueueOptions, task: AnyTask, payload: string): Idempotency {
  const key = checkText(options.idempotencyKey ?? '', 'idempotencyKey', 1000)
  return {
    key: digest(JSON.stringify([options.tenant ?? null, task.name, key])),
    fingerprint:
      options.fingerprint === undefined
        ? digest(payload)
        : checkText(options.fingerprint, 'fingerprint', 200),
  }
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}

function checkText(text: string, option: string, length: number): string {
  if (typeof text === 'string' && text.length > 0 && text.length <= length && text.isWellFormed()) return text
  throw new OffloadError(
    'OPTION_INVALID',
    `${option} ${shown(text)} cannot be used: take 1 to ${length} characters`,
  )
}

/** What is queued when the job has ended. @throws TASK_UNKNOWN, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE */
export function followUpsOf(onDone: AnyTask['onDone'], making: Making): FollowUp[] {
  return onDone.map((one) => followUpOf(one, making))
}

function followUpOf(
  { task, data }: { readonly task: DoneTask; readonly data?: unknown },
  { now, newId, payloadBytes, tasks }: Making,
): FollowUp {
  checkKnown(task, tasks)
  return {
    id: newId(now),
    task: task.name,
    queue: task.queue,
    priority: task.priority,
    maxAttempts: task.retry.attempts,
    ...(data === undefined ? {} : { data: encode(data, payloadBytes) }),
  }
}
