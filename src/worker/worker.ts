import { EventEmitter } from 'node:events'
import { setImmediate } from 'node:timers'
import type { SlotsDecision } from '../autoscale/concurrency.ts'
import type { Backend } from '../backend.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import type { Ending } from '../job/state.ts'
import type { Logger } from '../log.ts'
import type { AnyTask, Enqueue } from '../task.ts'
import { Attempt } from './attempt.ts'
import type { Surroundings } from './execute.ts'
import { execute } from './execute.ts'
import { fetchAhead, smoothed } from './fetch-ahead.ts'
import { IsolatePool } from './isolate/pool.ts'
import { Leases } from './leases.ts'
import { watchLoop } from './loop-watch.ts'
import type { AttemptEnd, WorkEvent } from './settler.ts'
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
  /** Goes on beside the worker until `signal` aborts, and is waited for. */
  readonly beside?: (signal: AbortSignal) => Promise<void>
}

type EventName = AttemptEnd | 'error'

/** Not 'error', which an emitter without listeners throws. */
const TROUBLE = 'trouble'
/** With more ends than this to store, nothing more is claimed. */
const MOST_UNSETTLED = 2000
/** Of a server that works on one call while this process works on what the last one brought, a few at a time are had sooner. */
const MOST_OVERLAPPING = 250
/** Handlers are started for at most so long before the event loop has its turn. */
const TURN_MS = 10

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
  #buffer: Claim[] = []
  #meanRunMs: number | undefined
  #starting = false
  readonly #awaiting: (() => void)[] = []
  #stopped: Promise<void> | undefined
  #ended = false

  constructor(options: WorkOptions, parts: WorkerParts) {
    this.#parts = parts
    const { concurrency, leaseMs, queues } = workPlan(options, parts.tasks.values())
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
      this.#events.emit(TROUBLE, { jobId: '', task: '', queue: '', attempt: 0, error })
    })
    const onTrouble = (error: unknown): void => this.#trouble.begin(error)
    this.#settler = new Settler({
      broker: async () => (await parts.open()).broker,
      clock: parts.clock,
      random: parts.random,
      logger: parts.logger,
      leaseMs: this.#leaseMs,
      tell: (end, event) => void this.#events.emit(end, event),
      onTrouble,
      onStored: () => this.#changed(),
    })
    this.#leases = new Leases({
      open: parts.open,
      clock: parts.clock,
      leaseMs: this.#leaseMs,
      running: this.#running,
      waiting: () => this.#buffer,
      onLost: (lost) => {
        this.#buffer = this.#buffer.filter((claim) => !lost.has(claim))
      },
      onTrouble,
      stopping: this.#stopping.signal,
    })
    this.#release = parts.clock.keepAlive()
    this.#loops = Promise.all([
      ...this.#queues.map((queue) => this.#claimLoop(queue)),
      this.#leases.keep(),
      this.#leases.watchCancels(),
      parts.beside?.(this.#stopping.signal),
      this.#tuner?.keep(this.#stopping.signal, () => this.#onTuned()),
      watchLoop(parts.clock, this.#stopping.signal, (ms) => this.#onBlocked(ms)),
    ])
  }

  /** Listens; call the answer to stop listening. */
  on(event: EventName, listener: (event: WorkEvent) => void): () => void {
    const name = event === 'error' ? TROUBLE : event
    this.#events.on(name, listener)
    return () => void this.#events.off(name, listener)
  }

  health(): Health {
    const { reason } = this.#trouble
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
      buffered: this.#buffer.length,
      ...(this.#meanRunMs === undefined ? {} : { runMs: this.#meanRunMs }),
      slots: this.#concurrency,
      ...(this.#tuner === undefined ? {} : { why: this.#tuner.decision }),
      ...(reason === undefined ? {} : { reason }),
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
    this.#changed()
    await this.#releaseBuffer()
    const cancelLate = this.#parts.clock.after(timeoutMs, () => {
      for (const attempt of this.#running) attempt.abort('WORKER_STOPPED', 'the worker is stopping')
    })
    while (this.#running.size > 0) await this.#change()
    cancelLate()
    await this.#loops
    await this.#releaseBuffer()
    this.#isolates.close()
    this.#ended = true
    this.#release()
  }

  async #releaseBuffer(): Promise<void> {
    for (const claim of this.#buffer.splice(0)) this.#settler.settle(claim, { type: 'release' })
    await this.#settler.idle()
  }

  /** Keeps the buffer filled from one queue. */
  async #claimLoop(queue: string): Promise<void> {
    const { clock, random, name } = this.#parts
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      const limit = this.#wanted()
      if (limit < 1) {
        await this.#change()
        continue
      }
      try {
        const { broker } = await this.#parts.open()
        const most = broker.features.overlaps === true ? MOST_OVERLAPPING : limit
        const onWaiting = (): void => this.#trouble.end()
        const want = { limit: Math.min(limit, most), leaseMs: this.#leaseMs, worker: name, signal, onWaiting }
        const claims = await broker.claim(queue, want)
        failures = 0
        this.#trouble.end()
        this.#buffer.push(...claims)
        this.#startSome()
        await turn()
      } catch (error) {
        this.#trouble.begin(error)
        await sleep(clock, random() * Math.min(5000, 100 * 2 ** failures++), signal)
      }
    }
  }

  get #concurrency(): number {
    return this.#tuner?.decision.slots ?? this.#fixed
  }

  #onTuned(): void {
    this.#startSome()
    this.#changed()
  }

  /** How many more jobs to claim now: the free slots and what to have ahead, refilled below half. */
  #wanted(): number {
    if (this.#settler.size > MOST_UNSETTLED) return 0
    const free = this.#concurrency - this.#running.size
    const ahead = fetchAhead(this.#concurrency, this.#meanRunMs, this.#leaseMs)
    const missing = free + ahead - this.#buffer.length
    return this.#buffer.length * 2 > free + ahead ? 0 : missing
  }

  /** Starts what the buffer holds and the slots allow. */
  #startSome(): void {
    if (this.#starting) return
    this.#starting = true
    const begun = performance.now()
    while (this.#running.size < this.#concurrency && !this.#stopping.signal.aborted) {
      const claim = this.#buffer.shift()
      if (claim === undefined) break
      this.#start(new Attempt(claim))
      if (performance.now() - begun < TURN_MS) continue
      setImmediate(() => this.#startSome())
      break
    }
    this.#starting = false
    if (this.#stopping.signal.aborted || this.#wanted() > 0) this.#changed()
  }

  #start(attempt: Attempt): void {
    this.#running.add(attempt)
    this.#tuner?.running(this.#running.size)
    const { clock } = this.#parts
    const begun = clock.elapsed()
    const cancelTimeout = this.#armTimeout(attempt)
    const end = (ending: Ending): void => {
      cancelTimeout?.()
      const runMs = clock.elapsed() - begun
      this.#meanRunMs = smoothed(this.#meanRunMs, runMs)
      this.#tuner?.ended(ending, runMs)
      if (attempt.hasReports) void this.#leases.report(attempt).then(() => this.#end(attempt, ending))
      else this.#end(attempt, ending)
    }
    const ending = execute(attempt, this.#around)
    if (ending instanceof Promise) void ending.then(end)
    else end(ending)
  }

  #armTimeout(attempt: Attempt): (() => void) | undefined {
    const timeoutMs = this.#parts.tasks.get(attempt.claim.job.task)?.timeoutMs
    if (timeoutMs === undefined) return undefined
    return this.#parts.clock.after(timeoutMs, () =>
      attempt.abort('JOB_TIMEOUT', `the attempt took longer than ${timeoutMs} ms`),
    )
  }

  #end(attempt: Attempt, ending: Ending): void {
    this.#settler.settle(attempt.claim, ending)
    this.#running.delete(attempt)
    this.#tuner?.running(this.#running.size)
    this.#startSome()
  }

  #onBlocked(ms: number): void {
    if (this.#running.size === 0) return
    const tasks = [...new Set([...this.#running].map(({ claim }) => claim.job.task))]
    this.#parts.logger.warn(
      { tasks, ms },
      `the event loop was blocked for ${ms} ms while ${tasks.join(', ')} ran: give CPU-heavy tasks isolate: 'thread'`,
    )
  }

  /** Resolves when a slot or the buffer may have changed. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#awaiting.push(resolve))
  }

  #changed(): void {
    for (const resolve of this.#awaiting.splice(0)) resolve()
  }
}

/** Lets timers and I/O have their turn: a store and handlers that answer at once would never give it. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
