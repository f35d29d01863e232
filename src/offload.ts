import { randomFillSync, randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { Backend, BackendOptions } from './backend.ts'
import { openBackend } from './backends/registry.ts'
import type { Depth } from './broker.ts'
import type { Clock } from './clock.ts'
import { systemClock } from './clock.ts'
import { toMs } from './duration.ts'
import type { CancelVerdict, Handle } from './handle.ts'
import { JobHandle } from './handle.ts'
import { CapabilityError, OffloadError } from './job/errors.ts'
import { checkName, idMaker } from './job/id.ts'
import { DEFAULT_PAYLOAD_BYTES } from './job/payload.ts'
import type { ActVerdict, DeadFilter, FindQuery, JobEvent, Ledger } from './ledger.ts'
import type { Logger } from './log.ts'
import { defaultLogger } from './log.ts'
import type { Observer } from './observe/observer.ts'
import { together } from './observe/observers.ts'
import type { OffloadOptions } from './options.ts'
import { byName, positive, presenceOf, retentionOf, roomOf } from './options.ts'
import { Beacon } from './presence/beacon.ts'
import { rollCall } from './presence/roll.ts'
import type { WorkerView } from './presence/view.ts'
import { powered } from './producer/powers.ts'
import { Producer } from './producer/producer.ts'
import type { WaitOptions, WatchFilter, WatchOptions } from './reading/reader.ts'
import { Reader } from './reading/reader.ts'
import type { JobView } from './reading/view.ts'
import { checkSchedules } from './schedule/schedule.ts'
import { Schedules } from './schedule/schedules.ts'
import { openedWith } from './schedule/upsert.ts'
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

export interface BulkOptions {
  /** Told how many jobs were done so far. */
  readonly onProgress?: (count: number) => void
}

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
  readonly #payloadBytes: number
  readonly #presenceMs: number | undefined
  readonly #openBackend: () => Promise<Backend>
  readonly #producer: Producer
  readonly #reader: Reader
  readonly #workers: Worker[] = []
  readonly #observer: Observer | undefined
  #backend: Promise<Backend> | undefined
  #closing: Promise<void> | undefined

  constructor(options: OffloadOptions, clock: Clock, random: () => number) {
    this.#tasks = byName(options.tasks)
    this.tasks = [...this.#tasks.values()]
    for (const task of this.#tasks.values()) task.bind?.(async () => (await this.#open()).documents)
    this.#clock = clock
    this.#random = random
    this.#logger = options.logger ?? defaultLogger
    this.#observer = together(options.observe ?? [], this.#logger)
    this.#payloadBytes = positive(
      options.limits?.payloadBytes ?? DEFAULT_PAYLOAD_BYTES,
      'limits.payloadBytes',
    )
    this.#presenceMs = presenceOf(options.presence)
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
    this.#openBackend = async () => {
      const backend = await openBackend(url, options.ledger, backendOptions)
      await powered(backend, this.#tasks.values(), options.limits?.waitingBytes !== undefined)
      return openedWith(backend, schedules, { clock, payloadBytes: this.#payloadBytes })
    }
    const newId = idMaker((bytes) => void randomFillSync(bytes))
    const room = roomOf(options.limits ?? {}, this.#payloadBytes)
    this.#producer = new Producer({
      open: () => this.#open(),
      clock,
      newId,
      tasks: this.#tasks,
      room,
      payloadBytes: this.#payloadBytes,
      timeoutMs,
      observer: this.#observer,
    })
    this.#reader = new Reader(
      () => this.#ledger(),
      clock,
      (error) => this.#logger.warn({ error: String(error) }, 'a listener of follow() threw'),
    )
    this.#observer?.attach?.({
      queues: () => this.#depths(),
      workers: () => this.#workers.map((worker) => worker.state()),
    })
    this.schedules = new Schedules({
      open: () => this.#open(),
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
    const { broker, ledger } = await this.#open()
    if (ledger !== undefined) return ledger.depth()
    const queues = new Set([...this.#tasks.values()].map(({ queue }) => queue))
    return Promise.all([...queues].map((queue) => broker.depth(queue)))
  }

  /** Opens the backend now. @throws the coded error that says why it cannot be opened */
  async ready(): Promise<void> {
    await this.#open()
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
    const { broker } = await this.#open()
    return broker.depth(queue)
  }

  /** What is in every queue that ever had a job, or is paused, by name. @throws CAPABILITY_MISSING where no ledger knows */
  async queues(): Promise<Depth[]> {
    return [...(await (await this.#ledger()).depth())]
  }

  /** The workers of all hosts that told of themselves in the last beats, by name. */
  async workers(): Promise<WorkerView[]> {
    const { documents, broker } = await this.#open()
    if (documents !== undefined) return rollCall(documents, this.#clock.now())
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${broker.name} with ledger: 'none' remembers no workers: name a ledger to see them`,
    )
  }

  /** `cancelling`: its handler runs and was told by its signal. */
  async cancel(id: string): Promise<CancelVerdict> {
    const verdict = await this.#actOn('cancel', id)
    return verdict === 'done' ? 'cancelled' : (verdict as CancelVerdict)
  }

  /** Queues a dead letter again, with all its attempts. False when the job is not dead. */
  async retry(id: string): Promise<boolean> {
    return (await this.#actOn('retry', id)) === 'done'
  }

  /** Queues the dead letters that fit again; answers how many. */
  redrive(filter: DeadFilter = {}, options: BulkOptions = {}): Promise<number> {
    return this.#bulk('redrive', filter, options)
  }

  /** Forgets the dead letters that fit; answers how many. */
  purge(filter: DeadFilter = {}, options: BulkOptions = {}): Promise<number> {
    return this.#bulk('purge', filter, options)
  }

  /** Nothing more of the queue is started, anywhere, until resume(). */
  async pause(queue = 'default'): Promise<void> {
    await (await this.#ledger()).act({ type: 'pause', queue: checkName('queue', queue) })
  }

  async resume(queue = 'default'): Promise<void> {
    await (await this.#ledger()).act({ type: 'resume', queue: checkName('queue', queue) })
  }

  /** Starts a worker. @throws OPTION_INVALID */
  work(options: WorkOptions = {}): Worker {
    if (this.#closing !== undefined) throw closed()
    const name = `${hostname()}:${process.pid}`
    const worker = new Worker(options, {
      open: () => this.#open(),
      clock: this.#clock,
      random: this.#random,
      logger: this.#logger,
      tasks: this.#tasks,
      enqueue: (task, input, enqueueOptions) => this.enqueue(task, input, enqueueOptions),
      resultBytes: this.#payloadBytes,
      name,
      beacon: this.#beaconOf(name),
      observer: this.#observer,
      beside: (signal) => this.schedules.tick(signal),
    })
    this.#workers.push(worker)
    return worker
  }

  /** Stops the workers, waits for the calls under way and closes the backend. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.stop()))
    await this.#producer.idle()
    this.#reader.close()
    const backend = await this.#backend?.catch(() => undefined)
    await backend?.close()
    this.#observer?.close?.()
  }

  #beaconOf(name: string): Beacon | undefined {
    if (this.#presenceMs === undefined) return undefined
    const id = `${name}:${randomUUID().slice(0, 8)}`
    return new Beacon({ open: () => this.#open(), clock: this.#clock, id, everyMs: this.#presenceMs })
  }

  /** Opened once; tried anew after a failure. */
  #open(): Promise<Backend> {
    if (this.#backend !== undefined) return this.#backend
    if (this.#closing !== undefined) return Promise.reject(closed())
    const opening = this.#openBackend()
    this.#backend = opening
    opening.catch(() => {
      if (this.#backend === opening) this.#backend = undefined
    })
    return opening
  }

  async #ledger(): Promise<Ledger> {
    const { ledger, broker } = await this.#open()
    if (ledger !== undefined) return ledger
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      `${broker.name} with ledger: 'none' remembers no jobs: name a ledger to read or steer them`,
    )
  }

  async #actOn(type: 'cancel' | 'retry', id: string): Promise<ActVerdict | undefined> {
    const { verdicts } = await (await this.#ledger()).act({ type, ids: [id] })
    return verdicts[0]
  }

  async #bulk(type: 'redrive' | 'purge', filter: DeadFilter, { onProgress }: BulkOptions): Promise<number> {
    const ledger = await this.#ledger()
    const before = this.#clock.now() + 1
    let done = 0
    for (;;) {
      const { count } = await ledger.act({ type, filter, before, limit: BULK })
      done += count
      if (count > 0) onProgress?.(done)
      if (count < BULK) return done
    }
  }
}

function closed(): OffloadError {
  return new OffloadError('CLOSED', 'this queue was closed')
}
