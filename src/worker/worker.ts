import { EventEmitter } from 'node:events'
import type { Backend } from '../backend.ts'
import { keepAlive } from '../batch.ts'
import type { Broker, Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import type { ErrorCode } from '../job/errors.ts'
import { AbortedError, OffloadError } from '../job/errors.ts'
import { checkName } from '../job/id.ts'
import type { Logger } from '../log.ts'
import type { AnyTask, Enqueue } from '../task.ts'
import type { Reports, Surroundings } from './execute.ts'
import { execute } from './execute.ts'
import { fetchAhead, smoothed } from './fetch-ahead.ts'
import { IsolatePool } from './isolate/pool.ts'
import type { AttemptEnd, WorkEvent } from './settler.ts'
import { Settler } from './settler.ts'

export interface WorkOptions {
  /** @default the queues of the tasks given to offload() */
  readonly queues?: readonly string[]
  /** Handlers that run at once. @default 10 */
  readonly concurrency?: number
  /** How long a claim is this worker's without a sign of life. @default '30s' */
  readonly lease?: Duration
}

export interface Health {
  readonly state: 'running' | 'degraded' | 'stopping' | 'stopped'
  readonly running: number
  readonly buffered: number
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
}

interface Running {
  readonly claim: Claim
  readonly abort: AbortController
  readonly reports: Reports
}

type EventName = AttemptEnd | 'error'

/** Not 'error', which an emitter without listeners throws. */
const TROUBLE = 'trouble'
const REPORT_MS = 250

/** Claims, runs and settles the jobs of some queues until it is stopped. */
export class Worker {
  readonly #parts: WorkerParts
  readonly #concurrency: number
  readonly #leaseMs: number
  readonly #queues: readonly string[]
  readonly #events = new EventEmitter()
  readonly #stopping = new AbortController()
  readonly #running = new Map<Claim, Running>()
  readonly #isolates: IsolatePool
  readonly #around: Surroundings
  readonly #release: () => void
  readonly #loops: Promise<unknown>
  readonly #settler: Settler
  #buffer: Claim[] = []
  #meanRunMs: number | undefined
  #trouble: string | undefined
  readonly #awaiting: (() => void)[] = []
  #stopped: Promise<void> | undefined
  #ended = false

  constructor(options: WorkOptions, parts: WorkerParts) {
    this.#parts = parts
    this.#concurrency = options.concurrency ?? 10
    if (!Number.isInteger(this.#concurrency) || this.#concurrency < 1 || this.#concurrency > 10_000) {
      throw new OffloadError(
        'OPTION_INVALID',
        `concurrency must be a whole number from 1 to 10000, not ${String(options.concurrency)}`,
      )
    }
    this.#leaseMs = toMs(options.lease ?? '30s', 'lease')
    if (this.#leaseMs < 500) throw new OffloadError('OPTION_INVALID', 'lease must be at least 500 ms')
    this.#queues = [...new Set(options.queues ?? [...parts.tasks.values()].map(({ queue }) => queue))].map(
      (queue) => checkName('queue', queue),
    )
    if (this.#queues.length === 0)
      throw new OffloadError(
        'OPTION_INVALID',
        'a worker needs a queue: give offload() some tasks, or work({ queues })',
      )
    this.#isolates = new IsolatePool(parts.tasks)
    this.#around = {
      tasks: parts.tasks,
      enqueue: parts.enqueue,
      now: () => parts.clock.now(),
      random: parts.random,
      resultBytes: parts.resultBytes,
      isolated: this.#isolates.run,
      onBlocked: (claim, ms) =>
        parts.logger.warn(
          { task: claim.job.task, jobId: claim.job.id, ms },
          `task "${claim.job.task}" held the event loop for ${ms} ms: give it isolate: 'thread'`,
        ),
    }
    this.#settler = new Settler({
      broker: () => this.#broker(),
      clock: parts.clock,
      random: parts.random,
      logger: parts.logger,
      leaseMs: this.#leaseMs,
      tell: (end, event) => void this.#events.emit(end, event),
      onTrouble: (error) => this.#inTrouble(error),
    })
    this.#release = keepAlive()
    this.#loops = Promise.all([
      ...this.#queues.map((queue) => this.#claimLoop(queue)),
      this.#beatLoop(),
      this.#watchCancels(),
      this.#watchLoop(),
    ])
  }

  /** Listens; call the answer to stop listening. */
  on(event: EventName, listener: (event: WorkEvent) => void): () => void {
    const name = event === 'error' ? TROUBLE : event
    this.#events.on(name, listener)
    return () => void this.#events.off(name, listener)
  }

  health(): Health {
    const state = this.#ended
      ? 'stopped'
      : this.#stopping.signal.aborted
        ? 'stopping'
        : this.#trouble === undefined
          ? 'running'
          : 'degraded'
    return {
      state,
      running: this.#running.size,
      buffered: this.#buffer.length,
      ...(this.#trouble === undefined ? {} : { reason: this.#trouble }),
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
    const late = setTimeout(() => {
      for (const { abort } of this.#running.values())
        abort.abort(new AbortedError('WORKER_STOPPED', 'the worker is stopping'))
    }, timeoutMs)
    while (this.#running.size > 0) await this.#change()
    clearTimeout(late)
    await this.#loops
    await this.#releaseBuffer()
    this.#isolates.close()
    this.#ended = true
    this.#release()
  }

  async #releaseBuffer(): Promise<void> {
    const unbegun = this.#buffer
    this.#buffer = []
    await Promise.all(unbegun.map((claim) => this.#settler.settle(claim, { type: 'release' })))
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
        const broker = await this.#broker()
        const claims = await broker.claim(queue, { limit, leaseMs: this.#leaseMs, worker: name, signal })
        failures = 0
        this.#recovered()
        this.#buffer.push(...claims)
        this.#startSome()
      } catch (error) {
        this.#inTrouble(error)
        await sleep(clock, random() * Math.min(5000, 100 * 2 ** failures++), signal)
      }
    }
  }

  /** How many more jobs to claim now: the free slots and what to have ahead, refilled below half. */
  #wanted(): number {
    const free = this.#concurrency - this.#running.size
    const ahead = fetchAhead(this.#concurrency, this.#meanRunMs, this.#leaseMs)
    const missing = free + ahead - this.#buffer.length
    return this.#buffer.length * 2 > free + ahead ? 0 : missing
  }

  #startSome(): void {
    while (this.#running.size < this.#concurrency && !this.#stopping.signal.aborted) {
      const claim = this.#buffer.shift()
      if (claim === undefined) return
      void this.#run(claim)
    }
  }

  async #run(claim: Claim): Promise<void> {
    const running: Running = { claim, abort: new AbortController(), reports: { log: [] } }
    this.#running.set(claim, running)
    const begun = performance.now()
    const timeoutMs = this.#parts.tasks.get(claim.job.task)?.timeoutMs
    const cancelTimeout =
      timeoutMs === undefined
        ? undefined
        : this.#parts.clock.after(timeoutMs, () =>
            running.abort.abort(
              new AbortedError('JOB_TIMEOUT', `the attempt took longer than ${timeoutMs} ms`, {
                jobId: claim.job.id,
              }),
            ),
          )
    const ending = await execute(claim, running.abort.signal, running.reports, this.#around)
    cancelTimeout?.()
    this.#meanRunMs = smoothed(this.#meanRunMs, performance.now() - begun)
    await this.#lastReports(running)
    this.#running.delete(claim)
    this.#startSome()
    this.#changed()
    await this.#settler.settle(claim, ending)
  }

  async #lastReports({ claim, reports, abort }: Running): Promise<void> {
    if (reports.progress === undefined && reports.log.length === 0) return
    const beat = beatOf(claim, reports)
    if (abort.signal.aborted && (abort.signal.reason as { code?: string }).code === 'LEASE_LOST') return
    await (await this.#broker())
      .renew([beat], this.#leaseMs)
      .catch((error: unknown) => this.#inTrouble(error))
  }

  /** Renews every lease in one call, well before it ends, and carries progress and log lines sooner. */
  async #beatLoop(): Promise<void> {
    const { clock } = this.#parts
    const everyMs = this.#leaseMs / 3
    let renewedAt = clock.now()
    while (!this.#stopping.signal.aborted || this.#running.size > 0) {
      await sleep(
        clock,
        Math.min(REPORT_MS, everyMs),
        this.#running.size === 0 ? this.#stopping.signal : undefined,
      )
      const all = clock.now() - renewedAt >= everyMs
      if (all) renewedAt = clock.now()
      const running = [...this.#running.values()].filter(
        ({ reports }) => all || reports.progress !== undefined || reports.log.length > 0,
      )
      const waiting = all ? this.#buffer : []
      if (running.length + waiting.length > 0) await this.#beat(running, waiting)
    }
  }

  async #beat(running: readonly Running[], waiting: readonly Claim[]): Promise<void> {
    try {
      const beats = [
        ...running.map(({ claim, reports }) => beatOf(claim, reports)),
        ...waiting.map((claim) => ({ claim })),
      ]
      const states = await (await this.#broker()).renew(beats, this.#leaseMs)
      running.forEach(({ claim, abort }, index) => {
        if (states[index] === 'cancelled')
          abort.abort(new AbortedError('JOB_CANCELLED', 'the job was cancelled', { jobId: claim.job.id }))
        if (states[index] === 'lost')
          abort.abort(
            new AbortedError('LEASE_LOST', 'the lease was lost: the job is run elsewhere', {
              jobId: claim.job.id,
            }),
          )
      })
      const lost = new Set(waiting.filter((_, index) => states[running.length + index] === 'lost'))
      if (lost.size > 0) this.#buffer = this.#buffer.filter((claim) => !lost.has(claim))
    } catch (error) {
      this.#inTrouble(error)
    }
  }

  /** Passes a cancel on as soon as the ledger tells of it; the beat would find it later. */
  async #watchCancels(): Promise<void> {
    const { signal } = this.#stopping
    while (!signal.aborted) {
      try {
        const { ledger } = await this.#parts.open()
        if (ledger === undefined) return
        for await (const events of ledger.watch(undefined, signal)) {
          for (const event of events) if (event.type === 'cancelling') this.#cancel(event.jobId)
        }
      } catch {
        await sleep(this.#parts.clock, 1000, signal)
      }
    }
  }

  #cancel(jobId: string): void {
    for (const { claim, abort } of this.#running.values()) {
      if (claim.job.id === jobId)
        abort.abort(new AbortedError('JOB_CANCELLED', 'the job was cancelled', { jobId }))
    }
  }

  /** Names who may have blocked the event loop: then no lease is renewed and no timeout fires. */
  async #watchLoop(): Promise<void> {
    const everyMs = 500
    while (!this.#stopping.signal.aborted) {
      const begun = performance.now()
      await sleep(this.#parts.clock, everyMs, this.#stopping.signal)
      const lateMs = Math.round(performance.now() - begun - everyMs)
      if (lateMs < 500 || this.#running.size === 0) continue
      const tasks = [...new Set([...this.#running.keys()].map(({ job }) => job.task))]
      this.#parts.logger.warn(
        { tasks, ms: lateMs },
        `the event loop was blocked for ${lateMs} ms while ${tasks.join(', ')} ran: give CPU-heavy tasks isolate: 'thread'`,
      )
    }
  }

  async #broker(): Promise<Broker> {
    return (await this.#parts.open()).broker
  }

  #inTrouble(error: unknown): void {
    const reason = error instanceof Error ? error.message : String(error)
    if (this.#trouble === undefined) {
      this.#parts.logger.error(
        { worker: this.#parts.name, code: (error as { code?: ErrorCode }).code, error: reason },
        'the backend cannot be reached; trying again until it can',
      )
      this.#events.emit(TROUBLE, { jobId: '', task: '', queue: '', attempt: 0, error })
    }
    this.#trouble = reason
  }

  #recovered(): void {
    if (this.#trouble === undefined) return
    this.#trouble = undefined
    this.#parts.logger.warn({ worker: this.#parts.name }, 'the backend is reached again')
  }

  /** Resolves when a slot or the buffer may have changed. */
  #change(): Promise<void> {
    return new Promise((resolve) => this.#awaiting.push(resolve))
  }

  #changed(): void {
    for (const resolve of this.#awaiting.splice(0)) resolve()
  }
}

function beatOf(
  claim: Claim,
  reports: Reports,
): { claim: Claim; progress?: string; log?: { at: number; message: string }[] } {
  const { progress, log } = reports
  delete reports.progress
  reports.log = []
  return { claim, ...(progress === undefined ? {} : { progress }), ...(log.length === 0 ? {} : { log }) }
}
