import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Documents } from './documents.ts'
import type { Duration } from './duration.ts'
import { toMs } from './duration.ts'
import { OffloadError, shown } from './job/errors.ts'
import type { EndedJob } from './job/follow-up.ts'
import { checkKey, checkName } from './job/id.ts'
import type { Outcome } from './job/outcome.ts'
import { checkPriority, NORMAL_PRIORITY } from './job/priority.ts'
import type { RetryOptions, RetryPolicy } from './job/retry.ts'
import { retryPolicy } from './job/retry.ts'

/** What a handler gets besides its input. */
export interface JobContext<Input = unknown> {
  readonly id: string
  readonly task: string
  readonly queue: string
  /** This attempt, from 1. */
  readonly attempt: number
  readonly maxAttempts: number
  readonly input: Input
  readonly key: string | undefined
  /** For a job of a schedule: the tick (ms since the epoch) that it was made for. */
  readonly scheduledFor: number | undefined
  /**
   * Aborts on timeout, cancel, lost lease and shutdown; `signal.reason` is an AbortedError whose `code` says which:
   * JOB_TIMEOUT, JOB_CANCELLED, LEASE_LOST, WORKER_STOPPED.
   */
  readonly signal: AbortSignal
  /** Publishes how far the work is: any JSON up to 4 kB. Sent in batches; the last one wins. */
  progress(value: unknown): void
  /** Adds a line to the job's own log (the last 100 are kept). */
  log(message: string): void
  /** Queues follow-up work. */
  readonly enqueue: Enqueue
}

/** Queues one job of a task. */
export type Enqueue = <Input, Result>(
  task: Task<Input, Result>,
  input: Input,
  options?: EnqueueOptions,
) => Promise<{ readonly id: string; readonly duplicate: boolean }>

export interface EnqueueOptions {
  /** Start no sooner than after this time. */
  readonly delay?: Duration
  /** Start no sooner than this instant (a Date or ms since the epoch). */
  readonly runAt?: Date | number
  /** 0 to 9, higher first. @default the task's, or 4 */
  readonly priority?: number
  /** Jobs of a queue with one key run one at a time, in order. @default the task's */
  readonly key?: string
  /** Accepted once while it is remembered; one of another tenant is refused with ID_TAKEN. @default a new unguessable id */
  readonly id?: string
  /** Never started after this instant or duration from now. */
  readonly deadline?: Date | Duration
  /** W3C trace context to carry: `{ traceparent, tracestate }`. */
  readonly trace?: Readonly<Record<string, string>>
  /** Whose job it is: what `find({ tenant })` and the HTTP routes tell apart. 1 to 200 characters. */
  readonly tenant?: string
  /**
   * One job of this tenant and task is accepted under it as long as that is remembered: the same call again answers the first
   * job (`duplicate`), another payload is refused with IDEMPOTENCY_MISMATCH. 1 to 1000 characters.
   */
  readonly idempotencyKey?: string
  /** What must be equal under one idempotency key, where that is not the payload: at most 200 characters. */
  readonly fingerprint?: string
  /** Queued when the job has ended, in the same atomic step. @default the task's */
  readonly onDone?: OnDone | readonly OnDone[]
}

/** A task whose input is an {@link EndedJob}, by itself or with data for it. */
export type OnDone = DoneTask | { readonly task: DoneTask; readonly data?: unknown }

export type DoneTask = Task<EndedJob, unknown>

export interface TaskOptions<Schema extends StandardSchemaV1, Return> {
  /** Any Standard Schema (Zod, Valibot, ArkType …). Checked by the producer and again by the worker. */
  readonly input: Schema
  /** Checked before the result is stored. */
  readonly output?: StandardSchemaV1
  /** @default 'default' */
  readonly queue?: string
  /** 0 to 9, higher first. @default 4 */
  readonly priority?: number
  readonly retry?: RetryOptions
  /** How long one attempt may take. @default none */
  readonly timeout?: Duration
  /** The key of a job, or how to tell it from the input. */
  readonly key?: string | ((input: StandardSchemaV1.InferInput<Schema>) => string | undefined)
  /** Queued when a job of this task has ended (done, dead or cancelled), in the same atomic step: a notice, a webhook. */
  readonly onDone?: OnDone | readonly OnDone[]
  /** Runs the handler in a thread or a process of its own, ended for real at the timeout. Needs `module`. */
  readonly isolate?: 'thread' | 'process'
  /** `import.meta.url` of the module that exports the task; an isolated handler is loaded from it. */
  readonly module?: string
  /** The work. Returns a result that JSON can carry, or retry(), snooze() or discard(); throws to fail. */
  readonly run: (
    input: StandardSchemaV1.InferOutput<Schema>,
    job: JobContext<StandardSchemaV1.InferOutput<Schema>>,
  ) => Return
}

/** A definition of work: made by {@link task}. `Input` is what a producer passes, `Result` what the handler ends with. */
export interface Task<Input, Result> {
  readonly name: string
  readonly queue: string
  readonly priority: number
  readonly retry: RetryPolicy
  readonly timeoutMs: number | undefined
  readonly isolate: 'thread' | 'process' | undefined
  readonly module: string | undefined
  readonly input: StandardSchemaV1
  readonly output: StandardSchemaV1 | undefined
  readonly onDone: readonly { readonly task: DoneTask; readonly data?: unknown }[]
  /** Whether its jobs can have a key by themselves. */
  readonly isKeyed: boolean
  /** The key of a job with this input. */
  keyOf(input: Input): string | undefined
  run(input: unknown, job: JobContext): unknown
  /** Told, by the queue that the task is given to, how to open the documents of its store: undefined where it has none. */
  readonly bind?: (open: () => Promise<Documents | undefined>) => void
  /** Only for inference; never there at run time. */
  readonly '~result'?: Result
}

// biome-ignore lint/suspicious/noExplicitAny: a list of tasks has tasks of every input
export type AnyTask = Task<any, any>

/** Defines a task. @throws OPTION_INVALID when an option cannot be used */
export function task<Schema extends StandardSchemaV1, Return>(
  name: string,
  options: TaskOptions<Schema, Return>,
): Task<StandardSchemaV1.InferInput<Schema>, Exclude<Awaited<Return>, Outcome>> {
  checkName('task', name)
  if (typeof options?.run !== 'function')
    throw new OffloadError('OPTION_INVALID', `task "${name}" needs a run(input, job) function`, {
      task: name,
    })
  const schema: unknown = (options.input as Partial<StandardSchemaV1> | undefined)?.['~standard']
  if (schema === undefined) {
    throw new OffloadError(
      'OPTION_INVALID',
      `task "${name}" needs an input schema: any Standard Schema, e.g. input: z.object({ … })`,
      { task: name },
    )
  }
  if (options.output !== undefined && options.output?.['~standard'] === undefined) {
    throw new OffloadError(
      'OPTION_INVALID',
      `task "${name}" needs its output to be a Standard Schema, or none`,
      { task: name },
    )
  }
  if (options.isolate !== undefined && options.isolate !== 'thread' && options.isolate !== 'process') {
    throw new OffloadError(
      'OPTION_INVALID',
      `isolate of task "${name}" must be "thread" or "process", not ${shown(options.isolate)}`,
      { task: name },
    )
  }
  if (options.isolate !== undefined && options.module === undefined) {
    throw new OffloadError(
      'OPTION_INVALID',
      `task "${name}" is isolated, so it needs module: import.meta.url, and its module must export it`,
      { task: name },
    )
  }
  const { key } = options
  if (key !== undefined && typeof key !== 'function') checkKey(key)
  return {
    name,
    queue: checkName('queue', options.queue ?? 'default'),
    priority: checkPriority(options.priority ?? NORMAL_PRIORITY),
    retry: retryPolicy(options.retry),
    timeoutMs: options.timeout === undefined ? undefined : toMs(options.timeout, 'timeout'),
    isolate: options.isolate,
    module: options.module,
    input: options.input,
    output: options.output,
    onDone: onDoneOf(options.onDone),
    isKeyed: key !== undefined,
    keyOf: (input) => (typeof key === 'function' ? key(input) : key),
    run: options.run as Task<unknown, unknown>['run'],
  }
}

/** The forms of `onDone` as one. @throws OPTION_INVALID */
export function onDoneOf(
  onDone: EnqueueOptions['onDone'],
): readonly { readonly task: DoneTask; readonly data?: unknown }[] {
  if (onDone === undefined) return []
  const each = (Array.isArray(onDone) ? onDone : [onDone]) as readonly OnDone[]
  if (each.length > MAX_FOLLOW_UPS)
    throw new OffloadError(
      'OPTION_INVALID',
      `onDone takes ${MAX_FOLLOW_UPS} tasks at most, not ${each.length}`,
    )
  return each.map((one) => {
    const follow = 'run' in one ? { task: one } : one
    if (typeof follow?.task?.run === 'function') return follow
    throw new OffloadError('OPTION_INVALID', 'onDone takes a task made by task(), or { task, data }')
  })
}

const MAX_FOLLOW_UPS = 5
