import { EventEmitter } from 'node:events'
import type { Backend } from '../backend.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import type { Logger } from '../log.ts'
import type { Observer, WorkerState } from '../observe/observer.ts'
import type { Beacon } from '../presence/beacon.ts'
import type { AnyTask, Enqueue } from '../task.ts'
import { Change } from './change.ts'
import { Circuits } from './circuits.ts'
import { ClaimBuffer } from './claim-buffer.ts'
import type { ClaimLoopParts } from './claim-loop.ts'
import { claimLoop } from './claim-loop.ts'
import type { Surroundings } from './execute.ts'
import { fetchAhead } from './fetch-ahead.ts'
import { Figures } from './figures.ts'
import { IsolatePool } from './isolate/pool.ts'
import { Leases } from './leases.ts'
import { BLOCKED_MS, watchLoop } from './loop-watch.ts'
import type { AttemptEnd, WorkEvent } from './settler.ts'
import { Settler } from './settler.ts'
import { Slots } from './slots.ts'
import type { Health } from './status.ts'
import { Status } from './status.ts'
import { Trouble } from './trouble.ts'
import type { WorkOptions } from './work-plan.ts'
import { workPlan } from './work-plan.ts'

export interface WorkerParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly tasks: ReadonlyMap<string, AnyTask>
  readonly enqueue: Enqueue
  readonly resultBytes: number
  readonly name: string
  readonly observer?: Observer | undefined
  /** Tells the store that this worker is there. */
  readonly beacon?: Beacon | undefined
  /** Somebody writes a line for each end of an attempt already. */
  readonly logsAttempts?: boolean
  /** Goes on beside the worker until `signal` aborts, and is waited for. */
  readonly beside?: (signal: AbortSignal) => Promise<void>
}

type EventName = AttemptEnd | 'error'

/** Not 'error', which an emitter without listeners throws. */
const TROUBLE = 'trouble'
/** With more ends than this to store, nothing more is claimed. */
const MOST_UNSETTLED = 2000

/** Claims, runs and settles the jobs of some queues until it is stopped. */
export class Worker {
  readonly #parts: WorkerParts
  readonly #leaseMs: number
  readonly #events = new EventEmitter()
  readonly #stopping = new AbortController()
  readonly #isolates: IsolatePool
  readonly #release: () => void
  readonly #loops: Promise<unknown>
  readonly #settler: Settler
  readonly #slots: Slots
  readonly #status: Status
  readonly #circuits: Circuits
  readonly #figures = new Figures()
  readonly #buffer = new ClaimBuffer()
  readonly #change = new Change()
  #stopped: Promise<void> | undefined

  constructor(options: WorkOptions, parts: WorkerParts) {
    this.#parts = parts
    const { concurrency, leaseMs, queues, circuit } = workPlan(options, parts.tasks.values())
    this.#leaseMs = leaseMs
    this.#isolates = new IsolatePool(parts.tasks)
    const around: Surroundings = {
      tasks: parts.tasks,
      enqueue: parts.enqueue,
      clock: parts.clock,
      random: parts.random,
      resultBytes: parts.resultBytes,
      isolated: this.#isolates.run,
      onBlocked: (claim, ms) =>
        parts.logger.warn(
          { task: claim.job.task, jobId: claim.job.id, ms },
          `task "${claim.job.task}" held the event loop for ${ms} ms: give it isolate: 'thread'`,
        ),
    }
    const trouble = new Trouble(parts.name, parts.logger, (error) => {
      parts.observer?.troubled?.(error === undefined ? { worker: parts.name } : { worker: parts.name, error })
      if (error !== undefined)
        this.#events.emit(TROUBLE, { jobId: '', task: '', queue: '', attempt: 0, error })
    })
    this.#circuits = new Circuits({
      plan: circuit,
      clock: parts.clock,
      logger: parts.logger,
      onChange: (queue) => this.#onCircuit(queue),
    })
    const onTrouble = (error: unknown): void => trouble.begin(error)
    this.#settler = new Settler({
      broker: async () => (await parts.open()).broker,
      clock: parts.clock,
      random: parts.random,
      logger: parts.logger,
      leaseMs,
      tell: (end, event) => {
        this.#figures.ended(end)
        this.#circuits.ended(end, event)
        this.#events.emit(end, event)
      },
      onTrouble,
      observer: parts.observer,
      logsAttempts: parts.logsAttempts === true,
      onStored: () => this.#change.tell(),
    })
    this.#slots = new Slots({
      concurrency,
      clock: parts.clock,
      around,
      observer: parts.observer,
      buffer: this.#buffer,
      figures: this.#figures,
      report: (attempt) => leases.report(attempt),
      settle: ({ claim }, ending, run) => this.#settler.settle(claim, ending, run),
      onFilled: () => this.#onFilled(),
      stopping: this.#stopping.signal,
    })
    const leases = new Leases({
      open: parts.open,
      clock: parts.clock,
      leaseMs: this.#leaseMs,
      running: this.#slots.running,
      buffer: this.#buffer,
      onTrouble,
      stopping: this.#stopping.signal,
    })
    this.#status = new Status({
      name: parts.name,
      queues,
      clock: parts.clock,
      slots: this.#slots,
      buffer: this.#buffer,
      figures: this.#figures,
      settler: this.#settler,
      trouble,
      circuits: this.#circuits,
      stopping: this.#stopping.signal,
    })
    this.#release = parts.clock.keepAlive()
    const claiming: ClaimLoopParts = {
      open: parts.open,
      clock: parts.clock,
      random: parts.random,
      worker: parts.name,
      leaseMs: this.#leaseMs,
      wanted: (queue) => Math.min(this.#wanted(), this.#spareOf(queue)),
      change: this.#change,
      onHeard: (queue) => this.#figures.heard(queue, parts.clock.elapsed()),
      onReached: () => trouble.end(),
      onClaims: (queue, claims) => this.#onClaims(queue, claims),
      onTrouble,
      stopping: this.#stopping.signal,
    }
    this.#loops = Promise.all([
      ...queues.map((queue) => claimLoop(queue, claiming)),
      leases.keep(),
      leases.watchCancels(),
      parts.beside?.(this.#stopping.signal),
      this.#slots.tune(),
      watchLoop(parts.clock, this.#stopping.signal, (ms) => this.#onLate(ms)),
    ])
    parts.beacon?.begin(() => this.#status.told())
  }

  /** Listens; call the answer to stop listening. */
  on(event: EventName, listener: (event: WorkEvent) => void): () => void {
    const name = event === 'error' ? TROUBLE : event
    this.#events.on(name, listener)
    return () => void this.#events.off(name, listener)
  }

  health(): Health {
    return this.#status.health()
  }

  /** The same with what it is made of, for who observes it. */
  state(): WorkerState {
    return this.#status.state()
  }

  /**
   * Claims no more, gives back at once what has not begun, lets running handlers end within `timeout`, then aborts them and
   * gives back the rest. Costs no attempt. @default timeout '30s'
   */
  stop(options: { timeout?: Duration } = {}): Promise<void> {
    const timeoutMs = toMs(options.timeout ?? '30s', 'timeout')
    this.#stopped ??= this.#stop(timeoutMs)
    return this.#stopped
  }

  async #stop(timeoutMs: number): Promise<void> {
    this.#stopping.abort()
    this.#change.tell()
    await this.#releaseBuffer()
    const cancelLate = this.#parts.clock.after(timeoutMs, () => {
      for (const attempt of this.#slots.running) attempt.abort('WORKER_STOPPED', 'the worker is stopping')
    })
    while (this.#slots.running.size > 0) await this.#change.wait()
    cancelLate()
    await this.#loops
    await this.#parts.beacon?.end()
    await this.#releaseBuffer()
    this.#isolates.close()
    this.#status.ended()
    this.#release()
  }

  async #releaseBuffer(): Promise<void> {
    for (const claim of this.#buffer.takeAll()) this.#settler.settle(claim, { type: 'release' })
    await this.#settler.idle()
  }

  #onClaims(queue: string, claims: readonly Claim[]): void {
    this.#buffer.add(claims)
    this.#slow(queue)
    this.#slots.fill()
  }

  /** How many more jobs of a queue its circuit lets be at hand. */
  #spareOf(queue: string): number {
    const most = this.#circuits.most(queue)
    if (most === Number.POSITIVE_INFINITY) return most
    return most - this.#slots.countOf(queue) - this.#buffer.countOf(queue)
  }

  #onCircuit(queue: string): void {
    this.#slow(queue)
    this.#change.tell()
  }

  /** Gives back what was claimed of a queue beyond what its circuit lets be at hand; it costs no attempt. */
  #slow(queue: string): void {
    for (const claim of this.#buffer.takeNewestOf(queue, -this.#spareOf(queue)))
      this.#settler.settle(claim, { type: 'release' })
  }

  /** How many more jobs to claim now: the free slots and what to have ahead, refilled below half. */
  #wanted(): number {
    if (this.#settler.size > MOST_UNSETTLED) return 0
    const { count, running } = this.#slots
    const free = count - running.size
    const ahead = fetchAhead(count, this.#figures.meanRunMs, this.#leaseMs)
    const missing = free + ahead - this.#buffer.size
    return this.#buffer.size * 2 > free + ahead ? 0 : missing
  }

  #onFilled(): void {
    if (this.#stopping.signal.aborted || this.#wanted() > 0) this.#change.tell()
  }

  #onLate(ms: number): void {
    this.#figures.late(ms)
    const { running } = this.#slots
    if (ms < BLOCKED_MS || running.size === 0) return
    const tasks = [...new Set([...running].map(({ claim }) => claim.job.task))]
    this.#parts.logger.warn(
      { tasks, ms },
      `the event loop was blocked for ${ms} ms while ${tasks.join(', ')} ran: give CPU-heavy tasks isolate: 'thread'`,
    )
  }
}
