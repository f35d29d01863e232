import { clearInterval, setInterval } from 'node:timers' // not the global ones, which fake timers of a test would stop
import type { Entry } from '../backends/memory/entry.ts'
import type { Clock } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import type { Handle } from '../handle.ts'
import { OffloadError, shown } from '../job/errors.ts'
import type { Logger } from '../log.ts'
import { silentLogger } from '../log.ts'
import { Offload } from '../offload.ts'
import type { LimitOptions, RetentionOptions } from '../options.ts'
import type { WaitOptions } from '../reading/reader.ts'
import type { JobView } from '../reading/view.ts'
import { viewOf } from '../reading/view.ts'
import type { Schedule } from '../schedule/schedule.ts'
import type { AnyTask, EnqueueOptions, Task } from '../task.ts'
import type { WorkOptions } from '../worker/work-plan.ts'
import type { Worker } from '../worker/worker.ts'
import type { Faults } from './faults.ts'
import { checkTask } from './faults.ts'
import { FaultyMemory } from './faulty-memory.ts'
import { seeded } from './least-power-broker.ts'
import { Motion } from './motion.ts'
import { Stillness } from './stillness.ts'
import { VirtualClock } from './virtual-clock.ts'

export interface TestQueueOptions {
  /** Every task that is queued or run here. */
  readonly tasks: readonly AnyTask[]
  /** Tick while time is moved. */
  readonly schedules?: readonly Schedule[]
  /** The instant at which time begins, and stands still until told to go on. @default 2030-01-01T00:00:00Z */
  readonly now?: Date | number
  /** From 0 to below 1, for the jitter of retries. @default the same numbers in every run */
  readonly random?: () => number
  /**
   * How long, in real time, a handler that gives no sign may hold a test up. A tenth of it is how long time stands still
   * for a handler that is not done. @default '5s'
   */
  readonly patience?: Duration
  readonly limits?: LimitOptions
  readonly retention?: RetentionOptions
  /** @default nothing is logged */
  readonly logger?: Logger
}

/** A job as it was enqueued and as it stands. */
export type EnqueuedJob<Input = unknown> = Omit<JobView, 'payload' | 'eventId'> & { readonly input: Input }

export interface IdleOptions {
  /** Also goes on to each instant at which a job is due, until none is left. @default false */
  readonly scheduled?: boolean
}

/** Opens a queue for a test: the core of production in memory, on a clock that the test moves. @throws OPTION_INVALID, TASK_DUPLICATE */
export function testQueue(options: TestQueueOptions): TestQueue {
  const now = Number(options.now ?? Date.UTC(2030, 0, 1))
  if (!(Math.abs(now) <= 8.64e15))
    throw new OffloadError(
      'OPTION_INVALID',
      `now must be a Date or milliseconds since 1970, not ${shown(options.now)}`,
    )
  return new TestQueue(options, new VirtualClock(now))
}

/** A queue whose jobs run only while `advance()` or `runUntilIdle()` is awaited. Made by {@link testQueue}. */
export class TestQueue extends Offload {
  /** The clock of the queue: for handlers that wait, and for code under test that asks for the time. */
  readonly clock: Clock
  /** What can go wrong, on demand. */
  readonly faults: Faults
  readonly #tasks: readonly AnyTask[]
  readonly #memory: FaultyMemory
  readonly #stillness: Stillness
  readonly #motion: Motion
  readonly #patienceMs: number
  #closed: Promise<void> | undefined

  /** @internal */
  constructor(options: TestQueueOptions, clock: VirtualClock) {
    const { tasks, schedules = [], limits, retention, logger = silentLogger, random = seeded(1) } = options
    const patienceMs = toMs(options.patience ?? '5s', 'patience')
    const stillness = new Stillness()
    const memory = new FaultyMemory(clock, tasks, stillness)
    super(
      {
        url: memory,
        tasks,
        schedules,
        logger,
        presence: false,
        ...(limits === undefined ? {} : { limits }),
        ...(retention === undefined ? {} : { retention }),
      },
      clock,
      random,
    )
    this.#tasks = tasks
    this.#memory = memory
    this.#stillness = stillness
    this.#patienceMs = patienceMs
    this.#motion = new Motion({ clock, memory, stillness, tasks, patienceMs, work: () => this.work() })
    this.clock = this.#motion.handlerClock
    this.faults = memory.faults
  }

  /** Milliseconds since the epoch, as the queue sees it. */
  now(): number {
    return this.clock.now()
  }

  /**
   * Time goes on: every timer on the way fires at its instant, in order, and the jobs that are due run. Resolves when all
   * of that has ended; a handler that waits for more time goes on later. @throws NOT_IDLE
   */
  async advance(duration: Duration): Promise<void> {
    const ms = toMs(duration, 'advance(duration)')
    await this.#motion.run(
      () => this.ready(),
      (motion) => motion.advance(ms),
    )
  }

  /**
   * Runs jobs until none is ready or running. Time stands still, but for what a lost lease, an outage or a handler that
   * sleeps on `clock` needs. @throws NOT_IDLE when a handler does not end, or jobs bring forth jobs for ever
   */
  async runUntilIdle(options: IdleOptions = {}): Promise<void> {
    await this.#motion.run(
      () => this.ready(),
      (motion) => motion.untilIdle(options.scheduled ?? false),
    )
  }

  /** What was enqueued so far, in order, with how it stands: all of it, or the jobs of one task. @throws TASK_UNKNOWN */
  enqueued(): EnqueuedJob[]
  enqueued<Input, Result>(task: Task<Input, Result>): EnqueuedJob<Input>[]
  enqueued(task?: AnyTask): EnqueuedJob[] {
    if (task !== undefined) checkTask(task, this.#tasks)
    return this.#memory.accepted
      .filter(({ record }) => task === undefined || record.task === task.name)
      .map(enqueuedJob)
  }

  /** Forgets every job and every planned fault; time stays where it is. */
  clear(): void {
    this.#memory.clear()
  }

  override enqueue<Input, Result>(
    task: Task<Input, Result>,
    input: NoInfer<Input>,
    options: EnqueueOptions = {},
  ): Promise<Handle<Result>> {
    return this.#stillness.during(super.enqueue(task, input, options))
  }

  /** As in production; but where nothing runs the queue, it says so instead of waiting for ever. */
  override async result(id: string, options: WaitOptions = {}): Promise<unknown> {
    const stalled = new AbortController()
    const { signal = stalled.signal } = options
    let seen = this.#stillness.seen
    const look = setInterval(() => {
      if (!this.#motion.isRunning && seen === this.#stillness.seen) stalled.abort(nothingRuns(id))
      seen = this.#stillness.seen
    }, this.#patienceMs)
    try {
      return await super.result(id, { ...options, signal: AbortSignal.any([signal, stalled.signal]) })
    } finally {
      clearInterval(look)
    }
  }

  /** As in production; without it, the first run starts a worker for every queue of the tasks. */
  override work(options: WorkOptions = {}): Worker {
    const worker = super.work(options)
    this.#motion.add(worker, options.queues)
    return worker
  }

  override close(): Promise<void> {
    this.#closed ??= this.#motion.close(() => super.close())
    return this.#closed
  }
}

function enqueuedJob({ record }: Entry): EnqueuedJob {
  const { payload: input, eventId: _, ...view } = viewOf(record, 0)
  return { ...view, input }
}

function nothingRuns(id: string): OffloadError {
  return new OffloadError(
    'RESULT_TIMEOUT',
    `nothing runs job ${id}: await queue.runUntilIdle() or queue.advance() first, or beside result()`,
    { jobId: id },
  )
}
