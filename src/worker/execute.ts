import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { OffloadError } from '../job/errors.ts'
import { faultOf } from '../job/fault.ts'
import type { Outcome } from '../job/outcome.ts'
import { outcomeType } from '../job/outcome.ts'
import { decode, encode, validate } from '../job/payload.ts'
import { backoffMs, waitAfter } from '../job/retry.ts'
import type { Ending } from '../job/state.ts'
import type { AnyTask, Enqueue } from '../task.ts'
import type { Attempt } from './attempt.ts'
import { Context } from './context.ts'
import type { RunIsolated } from './isolate/pool.ts'

/** What a run needs from its worker. */
export interface Surroundings {
  readonly tasks: ReadonlyMap<string, AnyTask>
  readonly enqueue: Enqueue
  readonly clock: Clock
  readonly random: () => number
  readonly resultBytes: number
  readonly isolated: RunIsolated
  /** Told how long the handler held the event loop before it first gave it back. */
  readonly onBlocked: (claim: Claim, ms: number) => void
}

const BLOCKED_MS = 100
/** A handler that heeds its signal may end in its own words within this time. */
const GRACE_MS = 100

type End = (ending: Ending) => void

/** From a claim to the value that ends it. Never throws; a promise is made only where something must be waited for. */
export function execute(attempt: Attempt, around: Surroundings, end: End): void {
  const { claim } = attempt
  const refuse = (error: unknown): void => end(dead(error, claim, around))
  let task: AnyTask
  let input: unknown
  try {
    task = taskOf(claim, around.tasks)
    input = validate(task.input, decode(claim.job.payload), task.name)
  } catch (error) {
    refuse(error)
    return
  }
  if (input instanceof Promise) input.then((valid) => run(task, valid, attempt, around, end), refuse)
  else run(task, input, attempt, around, end)
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

function run(task: AnyTask, input: unknown, attempt: Attempt, around: Surroundings, end: End): void {
  const fail = (error: unknown): void => end(endingOfError(error, task, attempt, around))
  if (attempt.reason !== undefined) {
    fail(attempt.reason)
    return
  }
  let value: unknown
  let takesLonger: boolean
  try {
    value = handled(task, input, attempt, around)
    takesLonger = isThenable(value)
  } catch (error) {
    fail(error)
    return
  }
  if (takesLonger) untilAborted(value, task, attempt, around, end)
  else endWith(value, task, attempt, around, end)
}

function handled(task: AnyTask, input: unknown, attempt: Attempt, around: Surroundings): unknown {
  const { claim } = attempt
  const context = new Context(attempt, input, around.enqueue, around.clock)
  const begun = performance.now()
  const value =
    task.isolate === undefined ? task.run(input, context) : around.isolated(task, claim.job.payload, context)
  const heldMs = performance.now() - begun
  if (heldMs > BLOCKED_MS) around.onBlocked(claim, Math.round(heldMs))
  return value
}

function isThenable(value: unknown): boolean {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  )
}

/** A handler may ignore its signal: its slot is freed at the abort all the same, and what it does later is refused. */
function untilAborted(work: unknown, task: AnyTask, attempt: Attempt, around: Surroundings, end: End): void {
  let isOver = false
  const fail = (error: unknown): void => {
    if (isOver) return
    isOver = true
    end(endingOfError(error, task, attempt, around))
  }
  attempt.onAbort = (reason) => void around.clock.after(GRACE_MS, () => fail(reason))
  Promise.resolve(work).then((value) => {
    if (isOver) return
    isOver = true
    endWith(value, task, attempt, around, end)
  }, fail)
}

function endWith(value: unknown, task: AnyTask, attempt: Attempt, around: Surroundings, end: End): void {
  let ending: Ending | Promise<Ending>
  try {
    ending = endingOf(value, task, attempt.claim, around)
  } catch (error) {
    ending = endingOfError(error, task, attempt, around)
  }
  if (ending instanceof Promise) void ending.then(end)
  else end(ending)
}

function endingOf(
  value: unknown,
  task: AnyTask,
  claim: Claim,
  around: Surroundings,
): Ending | Promise<Ending> {
  const outcome = value as Outcome
  switch (outcomeType(value)) {
    case 'retry': {
      const { afterMs, reason } = outcome as { afterMs: number | undefined; reason: string | undefined }
      const wait = afterMs ?? backoffMs(task.retry, claim.attempt, around.random)
      const fault = faultOf(
        new OffloadError('HANDLER_FAILED', reason ?? 'the handler asked for a retry'),
        claim.attempt,
        around.clock.now(),
      )
      return { type: 'retry', runAt: Math.round(around.clock.now() + wait), fault }
    }
    case 'snooze':
      return {
        type: 'snooze',
        runAt: Math.round(around.clock.now() + (outcome as { afterMs: number }).afterMs),
      }
    case 'discard':
      return dead(new OffloadError('DISCARDED', (outcome as { reason: string }).reason), claim, around)
    case undefined:
      return done(value, task, claim, around)
  }
}

/** A result that cannot be stored would fail the same way every time: dead, not tried again. */
function done(value: unknown, task: AnyTask, claim: Claim, around: Surroundings): Ending | Promise<Ending> {
  if (value === undefined) return { type: 'done' }
  const stored = (result: unknown): Ending => ({
    type: 'done',
    result: encode(result, around.resultBytes, 'RESULT_INVALID'),
  })
  try {
    if (task.output === undefined) return stored(value)
    const valid = validate(task.output, value, task.name, 'RESULT_INVALID')
    if (!(valid instanceof Promise)) return stored(valid)
    return valid.then(stored).catch((error: unknown) => dead(error, claim, around))
  } catch (error) {
    return dead(error, claim, around)
  }
}

function endingOfError(
  error: unknown,
  task: AnyTask,
  { claim, reason }: Attempt,
  around: Surroundings,
): Ending {
  if (reason?.code === 'JOB_CANCELLED') return { type: 'cancelled' }
  if (reason?.code === 'WORKER_STOPPED') return { type: 'release' }
  const cause = reason ?? error
  const fault = faultOf(cause, claim.attempt, around.clock.now())
  let wait: number | undefined
  try {
    wait = waitAfter(task.retry, cause, claim.attempt, around.random)
  } catch {
    wait = backoffMs(task.retry, claim.attempt, around.random)
  }
  return wait === undefined
    ? { type: 'dead', fault }
    : { type: 'retry', runAt: Math.round(around.clock.now() + wait), fault }
}

function dead(error: unknown, { attempt }: Claim, around: Surroundings): Ending {
  return { type: 'dead', fault: faultOf(error, attempt, around.clock.now()) }
}
