import { randomFillSync } from 'node:crypto'
import { hostname } from 'node:os'
import type { BackendOptions } from './backend.ts'
import { openBackend } from './backends/registry.ts'
import type { Depth } from './broker.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import { toMs } from './duration.ts'
import type { CancelVerdict, Handle } from './handle.ts'
import { JobHandle } from './handle.ts'
import { OffloadError } from './job/errors.ts'
import { idMaker } from './job/id.ts'
import { DEFAULT_PAYLOAD_BYTES } from './job/payload.ts'
import { closed, LazyBackend } from './lazy-backend.ts'
import type { DeadFilter, FindQuery, JobEvent } from './ledger.ts'
import type { Logger } from './log.ts'
import { defaultLogger, secretless } from './log.ts'
import { attemptLog } from './observe/log/attempt-log.ts'
import type { Observed, Observer } from './observe/observer.ts'
import { together } from './observe/observers.ts'
import type { OffloadOptions } from './options.ts'
import { byName, presenceOf, retentionOf, roomOf } from './options.ts'
import { positive } from './positive.ts'
import { Presences } from './presence/presences.ts'
import type { ScalerPlan, ScalingLog } from './presence/scaling.ts'
import type { ScalerView, WorkerView } from './presence/view.ts'
import { powered } from './producer/powers.ts'
import { Producer } from './producer/producer.ts'
import type { WaitOptions, WatchFilter, WatchOptions } from './reading/reader.ts'
import { Reader } from './reading/reader.ts'
import type { JobView } from './reading/view.ts'
import { checkSchedules } from './schedule/schedule.ts'
import { Schedules } from './schedule/schedules.ts'
import { openedWith } from './schedule/upsert.ts'
import type { BulkOptions } from './steering.ts'
import { Steering } from './steering.ts'
import type { AnyTask, EnqueueOptions, Task } from './task.ts'
import type { WorkOptions } from './worker/work-plan.ts'
import { Worker } from './worker/worker.ts'

export interface BulkItem<Input> {
  readonly input: Input
  readonly options?: EnqueueOptions
}

export type BulkAnswer<Result> =
  | { readonly status: 'accepted'; readonly handle: Handle<Result> }
  | { readonly status: 'rejected'; readonly error: unknown }

const BULK = 500
/** So many calls of as many jobs are made at once. */
const CALLS = 10

/** Opens a queue. Nothing is opened before the first use or `ready()`. @throws OPTION_INVALID, TASK_DUPLICATE */
export function offload(options: OffloadOptions): Offload {
  return new Offload(options, systemClock, Math.random)
}

/** Producers, workers and questions about jobs, all on one backend. */
export class Offload implements AsyncDisposable {
  /** Every task that is queued or run here. */
  readonly tasks: readonly AnyTask[]
  /** Work that is queued again and again. */
  readonly schedules: Schedules
  readonly #tasks: ReadonlyMap<string, AnyTask>
  readonly #clock: Clock
  readonly #random: () => number
  readonly #logger: Logger
  readonly #logsAttempts: boolean
  readonly #payloadBytes: number
  readonly #backend: LazyBackend
  readonly #presences: Presences
  readonly #steering: Steering
  readonly #producer: Producer
  readonly #reader: Reader
  readonly #workers: Worker[] = []
  /** What an observer may ask, for health routes and the like. */
  readonly observed: Observed
  /** Who is told of what this process does, for adapters that have something to tell. */
  readonly observer: Observer | undefined
  #closing: Promise<void> | undefined

  constructor(options: OffloadOptions, clock: Clock, random: () => number) {
    this.#tasks = byName(options.tasks)
    this.tasks = [...this.#tasks.values()]
    for (const task of this.#tasks.values()) task.bind?.(async () => (await this.#backend.open()).documents)
    this.#clock = clock
    this.#random = random
    this.#logger = secretless(options.logger ?? defaultLogger)
    const { log = false } = options
    const lines = log === false ? [] : [attemptLog(this.#logger, clock, log === true ? {} : log)]
    this.#logsAttempts = log !== false
    this.observer = together([...lines, ...(options.observe ?? [])], this.#logger)
    this.#payloadBytes = positive(
      options.limits?.payloadBytes ?? DEFAULT_PAYLOAD_BYTES,
      'limits.payloadBytes',
    )
    const timeoutMs = toMs(options.limits?.timeout ?? '5s', 'limits.timeout')
    const { url } = options
    if (typeof url !== 'string' && typeof url?.open !== 'function')
      throw new OffloadError('OPTION_INVALID', "offload() needs a url, e.g. url: 'sqlite:offload.db'")
    const backendOptions: BackendOptions = {
      clock,
      logger: this.#logger,
      retention: retentionOf(options.retention),
      timeoutMs,
    }
    const schedules = checkSchedules(options.schedules ?? [], this.#tasks)
    this.#backend = new LazyBackend(async () => {
      const backend = await openBackend(url, options.ledger, backendOptions)
      await powered(backend, this.#tasks.values(), options.limits?.waitingBytes !== undefined)
      return openedWith(backend, schedules, { clock, payloadBytes: this.#payloadBytes })
    })
    const open = () => this.#backend.open()
    const ledger = () => this.#backend.ledger()
    this.#presences = new Presences({
      open,
      documents: (what) => this.#backend.documents(what),
      clock,
      everyMs: presenceOf(options.presence),
    })
    this.#steering = new Steering(ledger, clock)
    const newId = idMaker((bytes) => void randomFillSync(bytes))
    const room = roomOf(options.limits ?? {}, this.#payloadBytes)
    this.#producer = new Producer({
      open,
      clock,
      newId,
      tasks: this.#tasks,
      room,
      payloadBytes: this.#payloadBytes,
      timeoutMs,
      observer: this.observer,
    })
    this.#reader = new Reader(ledger, clock, (error) =>
      this.#logger.warn({ error: String(error) }, 'a listener of follow() threw'),
    )
    this.observed = {
      queues: () => this.#depths(),
      workers: () => this.#workers.map((worker) => worker.state()),
      backend: () => this.#backend.name,
      isClosing: () => this.#closing !== undefined,
    }
    this.observer?.attach?.(this.observed)
    this.schedules = new Schedules({
      open,
      clock,
      random,
      logger: this.#logger,
      tasks: this.#tasks,
      newId,
      payloadBytes: this.#payloadBytes,
    })
  }

  /** What is in every queue; where no ledger knows them, in those that a task here goes to. */
  async #depths(): Promise<readonly Depth[]> {
    const { broker, ledger } = await this.#backend.open()
    if (ledger !== undefined) return ledger.depth()
    const queues = new Set([...this.#tasks.values()].map(({ queue }) => queue))
    return Promise.all([...queues].map((queue) => broker.depth(queue)))
  }

  /** Opens the backend now. @throws the coded error that says why it cannot be opened */
  async ready(): Promise<void> {
    await this.#backend.open()
  }

  /** Queues one job; resolves when it is durably accepted. @throws InputError, QueueFullError, BackendError, OffloadError */
  async enqueue<Input, Result>(
    task: Task<Input, Result>,
    input: NoInfer<Input>,
    options: EnqueueOptions = {},
  ): Promise<Handle<Result>> {
    const { id, status } = await this.#producer.enqueue(task, input, options)
    return new JobHandle<Result>(this, task, id, status === 'duplicate')
  }

  /** Queues many jobs of one task; each is accepted or rejected by itself, in order. */
  async enqueueMany<Input, Result>(
    task: Task<Input, Result>,
    items: readonly BulkItem<NoInfer<Input>>[],
  ): Promise<BulkAnswer<Result>[]> {
    const answers: BulkAnswer<Result>[] = []
    for (let at = 0; at < items.length; at += CALLS * BULK) {
      const calls = Array.from({ length: CALLS }, (_, nth) => at + nth * BULK)
        .filter((from) => from < items.length)
        .map((from) => this.#producer.enqueueAll(task, items.slice(from, from + BULK)))
      for (const one of (await Promise.all(calls)).flat())
        answers.push(
          'refused' in one
            ? { status: 'rejected', error: one.refused }
            : { status: 'accepted', handle: new JobHandle(this, task, one.id, one.status === 'duplicate') },
        )
    }
    return answers
  }

  get(id: string): Promise<JobView | undefined> {
    return this.#reader.get(id)
  }

  /** A page of jobs, newest first. */
  find(query: FindQuery = {}): Promise<{ jobs: JobView[]; next?: string }> {
    return this.#reader.find(query)
  }

  /** Waits for the end of a job. @throws JobEndedError JOB_DEAD, JOB_CANCELLED; JOB_NOT_FOUND, RESULT_TIMEOUT */
  result(id: string, options?: WaitOptions): Promise<unknown> {
    return this.#reader.result(id, options)
  }

  /** Events of one job (until its end), or of all that fit, in order. */
  watch(what: string | WatchFilter, options?: WatchOptions): AsyncGenerator<JobEvent> {
    return this.#reader.watch(what, options)
  }

  /**
   * Calls the listener for each event of a job after this one (`eventId` of `get()`), in order: watch() for thousands of
   * listeners. A `gap` says that some are gone: look for yourself. Resolves with how to stop.
   */
  follow(id: string, after: number, listener: (event: JobEvent) => void): Promise<() => void> {
    return this.#reader.follow(id, after, listener)
  }

  async depth(queue = 'default'): Promise<Depth> {
    const { broker } = await this.#backend.open()
    return broker.depth(queue)
  }

  /** What is in every queue that ever had a job, or is paused, by name. @throws CAPABILITY_MISSING where no ledger knows */
  async queues(): Promise<Depth[]> {
    return [...(await (await this.#backend.ledger()).depth())]
  }

  /** The workers of all hosts that told of themselves in the last beats, by name. */
  workers(): Promise<WorkerView[]> {
    return this.#presences.workers()
  }

  /** The autoscalers of all hosts that did, and what they decided lately. */
  scalers(): Promise<ScalerView[]> {
    return this.#presences.scalers()
  }

  /** Tells the store what an autoscaler decides, for `scalers()`; undefined where `presence` is off. */
  tellScaling(plan: ScalerPlan): ScalingLog | undefined {
    return this.#presences.ofScaler(plan)
  }

  /** `cancelling`: its handler runs and was told by its signal. */
  cancel(id: string): Promise<CancelVerdict> {
    return this.#steering.cancel(id)
  }

  /** Queues a dead letter again, with all its attempts. False when the job is not dead. */
  retry(id: string): Promise<boolean> {
    return this.#steering.retry(id)
  }

  /** Queues the dead letters that fit again; answers how many. */
  redrive(filter: DeadFilter = {}, options: BulkOptions = {}): Promise<number> {
    return this.#steering.bulk('redrive', filter, options)
  }

  /** Forgets the dead letters that fit; answers how many. */
  purge(filter: DeadFilter = {}, options: BulkOptions = {}): Promise<number> {
    return this.#steering.bulk('purge', filter, options)
  }

  /** Nothing more of the queue is started, anywhere, until resume(). */
  pause(queue = 'default'): Promise<void> {
    return this.#steering.queue('pause', queue)
  }

  resume(queue = 'default'): Promise<void> {
    return this.#steering.queue('resume', queue)
  }

  /** Starts a worker. @throws OPTION_INVALID */
  work(options: WorkOptions = {}): Worker {
    if (this.#closing !== undefined) throw closed()
    const worker = new Worker(options, {
      open: () => this.#backend.open(),
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      tasks: this.#tasks,
      enqueue: (task, input, enqueueOptions) => this.enqueue(task, input, enqueueOptions),
      resultBytes: this.#payloadBytes,
      name: `${hostname()}:${process.pid}`,
      beacon: this.#presences.ofWorker(),
      observer: this.observer,
      logsAttempts: this.#logsAttempts,
      beside: (signal) => this.schedules.tick(signal),
    })
    this.#workers.push(worker)
    return worker
  }

  /** Stops the workers, waits for the calls under way and closes the backend. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    this.#backend.seal()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()))
    await this.#producer.idle()
    this.#reader.close()
    await this.#backend.close()
    this.observer?.close?.()
  }
}
