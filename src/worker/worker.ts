import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers'
import type { SlotsDecision } from '../autoscale/policy/concurrency.ts'
import type { Backend } from '../backend.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import type { Ending } from '../job/state.ts'
import type { Logger } from '../log.ts'
import type { Observer, WorkerState } from '../observe/observer.ts'
import type { Beacon } from '../presence/beacon.ts'
import type { Presence, WorkerView } from '../presence/view.ts'
import type { AnyTask, Enqueue } from '../task.ts'
import { Attempt } from './attempt.ts'
import { Change } from './change.ts'
import { Circuits } from './circuits.ts'
import { ClaimBuffer } from './claim-buffer.ts'
import type { ClaimLoopParts } from './claim-loop.ts'
import { claimLoop } from './claim-loop.ts'
import type { Surroundings } from './execute.ts'
import { execute } from './execute.ts'
import { fetchAhead } from './fetch-ahead.ts'
import { Figures } from './figures.ts'
import { IsolatePool } from './isolate/pool.ts'
import { Leases } from './leases.ts'
import { BLOCKED_MS, watchLoop } from './loop-watch.ts'
import { Outside } from './outside.ts'
import type { AttemptEnd, Run, WorkEvent } from './settler.ts'
import { Settler } from './settler.ts'
import { Trouble } from './trouble.ts'
import { Tuner } from './tuner.ts'
import type { WorkOptions } from './work-plan.ts'
import { workPlan } from './work-plan.ts'

export interface Health {
  readonly state: 'running' | 'degraded' | 'stopping' | 'stopped'
  readonly running: number
  readonly buffered: number
  /** How long attempts took here, newer ones weighing more; undefined before the first has ended. */
  readonly runMs?: number
  /** Handlers that may run at once. */
  readonly slots: number
  /** Why so many, where `concurrency` is a range. */
  readonly why?: SlotsDecision
  /** Why it is degraded: what the backend said last. */
  readonly reason?: string
}

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
/** Handlers are started for at most so long before the event loop has its turn. */
const TURN_MS = 10
/** So many attempts that run are told of. */
const MOST_TOLD = 100

/** Claims, runs and settles the jobs of some queues until it is stopped. */
export class Worker {
  readonly #parts: WorkerParts
  readonly #fixed: number
  readonly #tuner: Tuner | undefined
  readonly #leaseMs: number
  readonly #queues: readonly string[]
  readonly #events = new EventEmitter()
  readonly #stopping = new AbortController()
  readonly #running = new Set<Attempt>()
  readonly #isolates: IsolatePool
  readonly #around: Surroundings
  readonly #release: () => void
  readonly #loops: Promise<unknown>
  readonly #settler: Settler
  readonly #leases: Leases
  readonly #trouble: Trouble
  readonly #circuits: Circuits
  readonly #figures = new Figures()
  readonly #buffer = new ClaimBuffer()
  readonly #change = new Change()
  readonly #outside = new Outside()
  #starting = false
  #stopped: Promise<void> | undefined
  #ended = false

  constructor(options: WorkOptions, parts: WorkerParts) {
    this.#parts = parts
    const { concurrency, leaseMs, queues, circuit } = workPlan(options, parts.tasks.values())
    this.#fixed = typeof concurrency === 'number' ? concurrency : concurrency.min
    this.#tuner = typeof concurrency === 'number' ? undefined : new Tuner(concurrency, parts.clock)
    this.#leaseMs = leaseMs
    this.#queues = queues
    this.#isolates = new IsolatePool(parts.tasks)
    this.#around = {
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
    this.#trouble = new Trouble(parts.name, parts.logger, (error) => {
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
    const onTrouble = (error: unknown): void => this.#trouble.begin(error)
    this.#settler = new Settler({
      broker: async () => (await parts.open()).broker,
      clock: parts.clock,
      random: parts.random,
      logger: parts.logger,
      leaseMs: this.#leaseMs,
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
    this.#leases = new Leases({
      open: parts.open,
      clock: parts.clock,
      leaseMs: this.#leaseMs,
      running: this.#running,
      buffer: this.#buffer,
      onTrouble,
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
      onReached: () => this.#trouble.end(),
      onClaims: (queue, claims) => this.#onClaims(queue, claims),
      onTrouble,
      stopping: this.#stopping.signal,
    }
    this.#loops = Promise.all([
      ...this.#queues.map((queue) => claimLoop(queue, claiming)),
      this.#leases.keep(),
      this.#leases.watchCancels(),
      parts.beside?.(this.#stopping.signal),
      this.#tuner?.keep(this.#stopping.signal, () => this.#onTuned()),
      watchLoop(parts.clock, this.#stopping.signal, (ms) => this.#onLate(ms)),
    ])
    parts.beacon?.begin(() => this.#told())
  }

  /** Listens; call the answer to stop listening. */
  on(event: EventName, listener: (event: WorkEvent) => void): () => void {
    const name = event === 'error' ? TROUBLE : event
    this.#events.on(name, listener)
    return () => void this.#events.off(name, listener)
  }

  health(): Health {
    const { reason } = this.#trouble
    const { meanRunMs: runMs } = this.#figures
    const state = this.#ended
      ? 'stopped'
      : this.#stopping.signal.aborted
        ? 'stopping'
        : reason === undefined
          ? 'running'
          : 'degraded'
    return {
      state,
      running: this.#running.size,
      buffered: this.#buffer.size,
      ...(runMs === undefined ? {} : { runMs }),
      slots: this.#concurrency,
      ...(this.#tuner === undefined ? {} : { why: this.#tuner.decision }),
      ...(reason === undefined ? {} : { reason }),
    }
  }

  /** The same with what it is made of, for who observes it. */
  state(): WorkerState {
    return {
      ...this.health(),
      name: this.#parts.name,
      queues: this.#queues,
      unsettled: this.#settler.size,
      unheardMs: this.#figures.unheardMs(
        this.#parts.clock.elapsed(),
        new Set(this.#circuits.slowed().map(({ queue }) => queue)),
      ),
    }
  }

  /** What it says of itself to the store. */
  #told(): Omit<WorkerView, keyof Presence> {
    return {
      ...this.state(),
      ...this.#figures.read(this.#parts.clock.elapsed()),
      attempts: [...this.#running].slice(0, MOST_TOLD).map((attempt) => attempt.view()),
      slowed: this.#circuits.slowed(),
    }
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
      for (const attempt of this.#running) attempt.abort('WORKER_STOPPED', 'the worker is stopping')
    })
    while (this.#running.size > 0) await this.#change.wait()
    cancelLate()
    await this.#loops
    await this.#parts.beacon?.end()
    await this.#releaseBuffer()
    this.#isolates.close()
    this.#ended = true
    this.#release()
  }

  async #releaseBuffer(): Promise<void> {
    for (const claim of this.#buffer.takeAll()) this.#settler.settle(claim, { type: 'release' })
    await this.#settler.idle()
  }

  #onClaims(queue: string, claims: readonly Claim[]): void {
    this.#buffer.add(claims)
    this.#slow(queue)
    this.#startSome()
  }

  /** How many more jobs of a queue its circuit lets be at hand. */
  #spareOf(queue: string): number {
    const most = this.#circuits.most(queue)
    if (most === Number.POSITIVE_INFINITY) return most
    const running = [...this.#running].filter(({ claim }) => claim.job.queue === queue).length
    return most - running - this.#buffer.countOf(queue)
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

  get #concurrency(): number {
    return this.#tuner?.decision.slots ?? this.#fixed
  }

  #onTuned(): void {
    this.#startSome()
    this.#change.tell()
  }

  /** How many more jobs to claim now: the free slots and what to have ahead, refilled below half. */
  #wanted(): number {
    if (this.#settler.size > MOST_UNSETTLED) return 0
    const free = this.#concurrency - this.#running.size
    const ahead = fetchAhead(this.#concurrency, this.#figures.meanRunMs, this.#leaseMs)
    const missing = free + ahead - this.#buffer.size
    return this.#buffer.size * 2 > free + ahead ? 0 : missing
  }

  /** Starts what the buffer holds and the slots allow. */
  #startSome(): void {
    if (this.#starting) return
    this.#starting = true
    const begun = performance.now()
    while (this.#running.size < this.#concurrency && !this.#stopping.signal.aborted) {
      const claim = this.#buffer.takeNext()
      if (claim === undefined) break
      this.#start(new Attempt(claim, this.#parts.clock.now(), this.#buffer.leaseUntil(claim)))
      if (performance.now() - begun < TURN_MS) continue
      setImmediate(() => this.#startSome())
      break
    }
    this.#starting = false
    if (this.#stopping.signal.aborted || this.#wanted() > 0) this.#change.tell()
  }

  #start(attempt: Attempt): void {
    this.#running.add(attempt)
    this.#tuner?.running(this.#running.size)
    const { clock, observer } = this.#parts
    const begun = clock.elapsed()
    const { waitMs } = attempt
    this.#figures.began(waitMs)
    const cancelTimeout = this.#armTimeout(attempt)
    const end = (ending: Ending, endedAt = clock.elapsed()): void => {
      cancelTimeout?.()
      const runMs = endedAt - begun
      this.#figures.ran(runMs)
      this.#tuner?.ended(ending, runMs)
      const run = observer && { waitMs, runMs, endedAt }
      if (attempt.hasReports) void this.#leases.report(attempt).then(() => this.#end(attempt, ending, run))
      else this.#end(attempt, ending, run)
    }
    const within = observer?.around?.(attempt.claim)
    if (within === undefined) {
      execute(attempt, this.#around, end)
      return
    }
    const endOutside = (ending: Ending): void => {
      const endedAt = clock.elapsed()
      this.#outside.do(() => end(ending, endedAt))
    }
    within(() => execute(attempt, this.#around, endOutside))
  }

  #armTimeout(attempt: Attempt): (() => void) | undefined {
    const timeoutMs = this.#parts.tasks.get(attempt.claim.job.task)?.timeoutMs
    if (timeoutMs === undefined) return undefined
    return this.#parts.clock.after(timeoutMs, () =>
      attempt.abort('JOB_TIMEOUT', `the attempt took longer than ${timeoutMs} ms`),
    )
  }

  #end(attempt: Attempt, ending: Ending, run: Run | undefined): void {
    this.#settler.settle(attempt.claim, ending, run)
    this.#running.delete(attempt)
    this.#tuner?.running(this.#running.size)
    this.#startSome()
  }

  #onLate(ms: number): void {
    this.#figures.late(ms)
    if (ms < BLOCKED_MS || this.#running.size === 0) return
    const tasks = [...new Set([...this.#running].map(({ claim }) => claim.job.task))]
    this.#parts.logger.warn(
      { tasks, ms },
      `the event loop was blocked for ${ms} ms while ${tasks.join(', ')} ran: give CPU-heavy tasks isolate: 'thread'`,
    )
  }
}
