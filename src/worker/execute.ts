import type { Claim } from '../broker.ts'
import { AbortedError, OffloadError } from '../job/errors.ts'
import { faultOf } from '../job/fault.ts'
import type { Outcome } from '../job/outcome.ts'
import { outcomeType } from '../job/outcome.ts'
import { decode, encode, validate } from '../job/payload.ts'
import { backoffMs, waitAfter } from '../job/retry.ts'
import type { Ending } from '../job/state.ts'
import type { AnyTask, Enqueue, JobContext } from '../task.ts'
import type { RunIsolated } from './isolate/pool.ts'

/** What a run needs from its worker. */
export interface Surroundings {
  readonly tasks: ReadonlyMap<string, AnyTask>
  readonly enqueue: Enqueue
  readonly now: () => number
  readonly random: () => number
  readonly resultBytes: number
  readonly isolated: RunIsolated
  /** Told how long the handler held the event loop before it first gave it back. */
  readonly onBlocked: (claim: Claim, ms: number) => void
}

/** What a running handler reports, until the next beat carries it off. */
export interface Reports {
  progress?: string
  log: { at: number; message: string }[]
}

const PROGRESS_BYTES = 4096
const LOG_CHARS = 1000
const BLOCKED_MS = 100

/** From a claim to the value that ends it. Never rejects. */
export async function execute(
  claim: Claim,
  signal: AbortSignal,
  reports: Reports,
  around: Surroundings,
): Promise<Ending> {
  let task: AnyTask | undefined
  let input: unknown
  try {
    task = taskOf(claim, around.tasks)
    input = await validate(task.input, decode(claim.job.payload), task.name, 'INPUT_INVALID')
  } catch (error) {
    return dead(error, claim, around)
  }
  try {
    const value = await run(task, input, claim, signal, reports, around)
    return await endingOf(value, task, claim, around)
  } catch (error) {
    return endingOfError(error, task, claim, signal, around)
  }
}

function taskOf({ job, malformed }: Claim, tasks: ReadonlyMap<string, AnyTask>): AnyTask {
  if (malformed !== undefined) throw new OffloadError('PAYLOAD_UNDECODABLE', malformed, { jobId: job.id })
  const task = tasks.get(job.task)
  if (task !== undefined) return task
  throw new OffloadError(
    'TASK_UNKNOWN',
    `this worker has no task ${JSON.stringify(job.task)}: deploy one that has, then redrive the dead letters`,
    { jobId: job.id, task: job.task },
  )
}

async function run(
  task: AnyTask,
  input: unknown,
  claim: Claim,
  signal: AbortSignal,
  reports: Reports,
  around: Surroundings,
): Promise<unknown> {
  signal.throwIfAborted()
  const context = contextOf(input, claim, signal, reports, around)
  const work =
    task.isolate === undefined
      ? inline(task, input, context, claim, around)
      : around.isolated(task, claim.job.payload, context)
  return raceAbort(work, signal)
}

function inline(
  task: AnyTask,
  input: unknown,
  context: JobContext,
  claim: Claim,
  around: Surroundings,
): unknown {
  const begun = performance.now()
  const work = task.run(input, context)
  const heldMs = performance.now() - begun
  if (heldMs > BLOCKED_MS) around.onBlocked(claim, Math.round(heldMs))
  return work
}

/** A handler may ignore its signal: its slot is freed at the abort all the same, and what it does later is refused. */
function raceAbort(work: unknown, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      const grace = setTimeout(() => reject(signal.reason as Error), GRACE_MS)
      grace.unref()
    }
    signal.addEventListener('abort', onAbort, { once: true })
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', onAbort))
  })
}

/** A handler that heeds its signal may end in its own words within this time. */
const GRACE_MS = 100

function contextOf(
  input: unknown,
  { job, attempt }: Claim,
  signal: AbortSignal,
  reports: Reports,
  around: Surroundings,
): JobContext {
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    attempt,
    maxAttempts: job.maxAttempts,
    input,
    key: job.key,
    signal,
    progress(value) {
      reports.progress = encode(value, PROGRESS_BYTES)
    },
    log(message) {
      reports.log.push({ at: around.now(), message: String(message).slice(0, LOG_CHARS).toWellFormed() })
      if (reports.log.length > 100) reports.log.shift()
    },
    enqueue: around.enqueue,
  }
}

async function endingOf(value: unknown, task: AnyTask, claim: Claim, around: Surroundings): Promise<Ending> {
  const outcome = value as Outcome
  switch (outcomeType(value)) {
    case 'retry': {
      const { afterMs, reason } = outcome as { afterMs: number | undefined; reason: string | undefined }
      const wait = afterMs ?? backoffMs(task.retry, claim.attempt, around.random)
      const fault = faultOf(
        new OffloadError('HANDLER_FAILED', reason ?? 'the handler asked for a retry'),
        claim.attempt,
        around.now(),
      )
      return { type: 'retry', runAt: Math.round(around.now() + wait), fault }
    }
    case 'snooze':
      return { type: 'snooze', runAt: Math.round(around.now() + (outcome as { afterMs: number }).afterMs) }
    case 'discard':
      return dead(new OffloadError('DISCARDED', (outcome as { reason: string }).reason), claim, around)
    case undefined:
      return done(value, task, claim, around)
  }
}

/** A result that cannot be stored would fail the same way every time: dead, not tried again. */
async function done(value: unknown, task: AnyTask, claim: Claim, around: Surroundings): Promise<Ending> {
  if (value === undefined) return { type: 'done' }
  try {
    const result =
      task.output === undefined ? value : await validate(task.output, value, task.name, 'RESULT_INVALID')
    return { type: 'done', result: encode(result, around.resultBytes, 'RESULT_INVALID') }
  } catch (error) {
    return dead(error, claim, around)
  }
}

function endingOfError(
  error: unknown,
  task: AnyTask,
  claim: Claim,
  signal: AbortSignal,
  around: Surroundings,
): Ending {
  const reason: unknown = signal.aborted ? signal.reason : undefined
  if (reason instanceof AbortedError && reason.code === 'JOB_CANCELLED') return { type: 'cancelled' }
  if (reason instanceof AbortedError && reason.code === 'WORKER_STOPPED') return { type: 'release' }
  const cause = reason instanceof AbortedError ? reason : error
  const fault = faultOf(cause, claim.attempt, around.now())
  let wait: number | undefined
  try {
    wait = waitAfter(task.retry, cause, claim.attempt, around.random)
  } catch {
    wait = backoffMs(task.retry, claim.attempt, around.random)
  }
  return wait === undefined
    ? { type: 'dead', fault }
    : { type: 'retry', runAt: Math.round(around.now() + wait), fault }
}

function dead(error: unknown, { attempt }: Claim, around: Surroundings): Ending {
  return { type: 'dead', fault: faultOf(error, attempt, around.now()) }
}
