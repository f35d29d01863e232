import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'
import { checkId, checkKey } from '../job/id.ts'
import type { Job } from '../job/job.ts'
import { encode, validate } from '../job/payload.ts'
import { checkPriority } from '../job/priority.ts'
import type { AnyTask, EnqueueOptions } from '../task.ts'

/** Checks everything about a job before the backend sees it. @throws the coded error of what is wrong */
export function makeJob(
  task: AnyTask,
  input: unknown,
  options: EnqueueOptions,
  now: number,
  newId: (now: number) => string,
  maxBytes: number,
): Job | Promise<Job> {
  const payload = encode(input, maxBytes)
  const key = options.key ?? task.keyOf(input)
  const runAt = runAtOf(options, now)
  const job: Job = {
    id: options.id === undefined ? newId(now) : checkId(options.id),
    task: task.name,
    queue: task.queue,
    payload,
    priority: options.priority === undefined ? task.priority : checkPriority(options.priority),
    createdAt: now,
    maxAttempts: task.retry.attempts,
    ...(key === undefined ? {} : { key: checkKey(key) }),
    ...(runAt === undefined ? {} : { runAt }),
    ...(options.deadline === undefined ? {} : { deadline: deadlineOf(options.deadline, now) }),
    ...(options.trace === undefined ? {} : { trace: checkTrace(options.trace) }),
  }
  const checked = validate(task.input, input, task.name)
  return checked instanceof Promise ? checked.then(() => job) : job
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
  if (size <= 2048) return trace
  throw new OffloadError(
    'OPTION_INVALID',
    'trace must be an object of strings, 2048 characters in all at most',
  )
}
