import type { Entry } from '../backends/memory/entry.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { OffloadError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'
import type { AnyTask } from '../task.ts'
import type { Worker } from '../worker/worker.ts'
import type { FaultyMemory } from './faulty-memory.ts'
import type { Stillness } from './stillness.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface MotionParts {
  readonly clock: VirtualClock
  readonly memory: FaultyMemory
  readonly stillness: Stillness
  readonly tasks: readonly AnyTask[]
  readonly patienceMs: number
  /** Starts a worker. */
  readonly work: () => Worker
}

/** So many attempts in one instant, besides those of jobs that are there, are taken for jobs that bring forth jobs for ever. */
const MOST_ATTEMPTS = 20_000
/** Jobs that are due at more instants than this in one run are taken for jobs that come back for ever. */
const MOST_INSTANTS = 10_000
/** So many timers are passed at most for what runs or waits for a worker. */
const MOST_STEPS = 50_000

/** Lets the workers of a test queue run and time go on, and tells when both have come to rest. */
export class Motion {
  /** The clock as handlers see it: who waits on it waits for time alone. */
  readonly handlerClock: Clock
  readonly #parts: MotionParts
  readonly #queues: ReadonlySet<string>
  readonly #workers: { readonly worker: Worker; readonly queues: ReadonlySet<string> }[] = []
  readonly #sleepers = new Set<object>()
  /** Claims that were waited for in real time already. */
  readonly #waitedFor = new WeakSet<Claim>()
  #last: Promise<void> = Promise.resolve()
  #runs = 0
  #isClosed = false

  constructor(parts: MotionParts) {
    this.#parts = parts
    this.#queues = new Set(parts.tasks.map(({ queue }) => queue))
    this.handlerClock = this.#clockOfHandlers(parts.clock)
  }

  get isRunning(): boolean {
    return this.#runs > 0
  }

  add(worker: Worker, queues: readonly string[] | undefined): void {
    this.#workers.push({ worker, queues: new Set(queues ?? this.#queues) })
  }

  /** Runs one thing at a time, with the door of the store open. */
  run(ready: () => Promise<void>, what: (motion: this) => Promise<void>): Promise<void> {
    const run = this.#last.then(() => this.#open(ready, what))
    this.#last = run.catch(() => {})
    return run
  }

  async advance(ms: number): Promise<void> {
    const { clock } = this.#parts
    await this.#goTo(clock.now() + ms)
  }

  async untilIdle(withScheduled: boolean): Promise<void> {
    await this.#idle()
    if (!withScheduled) return
    for (let instants = 1; ; instants++) {
      const next = this.#nextScheduled()
      if (next === undefined) return
      if (instants > MOST_INSTANTS) throw endless(next.record, `came back ${MOST_INSTANTS} times`)
      await this.#goTo(next.record.dueAt ?? this.#parts.clock.now())
      await this.#idle()
    }
  }

  /** Ends the workers as `stop()` does, however much time that needs. */
  async close(end: () => Promise<void>): Promise<void> {
    const { clock, memory, stillness } = this.#parts
    await this.#last
    this.#isClosed = true
    memory.faults.clear()
    let isOver = false
    const ending = end().finally(() => {
      isOver = true
      stillness.note()
    })
    for (;;) {
      await this.#rest(() => isOver)
      if (isOver) return ending
      const at = clock.nextAt({ polls: true })
      if (at === undefined) await stillness.change(this.#parts.patienceMs)
      else await clock.jump(Math.max(0, at - clock.now()))
    }
  }

  async #open(ready: () => Promise<void>, what: (motion: this) => Promise<void>): Promise<void> {
    const { memory, tasks, work } = this.#parts
    if (this.#isClosed) throw new OffloadError('CLOSED', 'this queue was closed')
    await ready()
    if (tasks.length > 0 && !this.#workers.some(({ worker }) => isWorking(worker))) work()
    this.#runs++
    memory.isOpen = true
    try {
      await what(this)
    } finally {
      memory.isOpen = false
      this.#runs--
    }
  }

  /** Polls are passed over while no handler runs: nothing is ever lost in memory, so they find nothing. */
  async #goTo(instant: number): Promise<void> {
    const { clock } = this.#parts
    await this.#rest()
    for (let at = this.#nextAt(); at !== undefined && at <= instant; at = this.#nextAt()) {
      await clock.jump(Math.max(0, at - clock.now()))
      await this.#rest()
    }
    await clock.jump(Math.max(0, instant - clock.now()))
    await this.#rest()
  }

  /** Until nothing is ready or running. */
  async #idle(): Promise<void> {
    const { clock, memory, stillness, patienceMs } = this.#parts
    for (let steps = 1; ; steps++) {
      await this.#rest()
      const ready = this.#startable()
      const [valid] = memory.held.filter((claim) => memory.isValid(claim))
      if (this.#atWork() === 0 && this.#running() === 0 && ready === undefined) return
      if (valid !== undefined && !this.#allSleep()) {
        if (!(await stillness.change(patienceMs))) throw neverEnds(valid, memory.held.length, patienceMs)
        continue
      }
      if (memory.faults.isDownForGood) throw down()
      const at = this.#nextAt()
      if (at === undefined || steps > MOST_STEPS)
        throw endless(valid?.job ?? ready?.record, 'are not done however much time goes on')
      await clock.jump(Math.max(0, at - clock.now()))
    }
  }

  /** Until nothing happens by itself: handlers that wait for something outside get some real time, once. */
  async #rest(isOver: () => boolean = () => false): Promise<void> {
    const { memory, stillness, patienceMs } = this.#parts
    const most = memory.attempts + memory.accepted.length + MOST_ATTEMPTS
    const check = (): void => {
      if (memory.attempts > most)
        throw endless(
          memory.accepted.at(-1)?.record,
          `ran more than ${MOST_ATTEMPTS} times without time going on`,
        )
    }
    for (;;) {
      await stillness.quiet(check)
      if (isOver()) return
      if (stillness.calls > 0) {
        if (!(await stillness.change(patienceMs))) throw unanswered(patienceMs)
        continue
      }
      const fresh = memory.held.filter((claim) => !this.#waitedFor.has(claim))
      if (this.#atWork() === 0 || fresh.length === 0 || this.#allSleep()) return
      if (await stillness.change(patienceMs / 10)) continue
      for (const claim of fresh) this.#waitedFor.add(claim)
      return
    }
  }

  #nextAt(): number | undefined {
    return this.#parts.clock.nextAt({ polls: this.#atWork() > 0 })
  }

  /** Jobs in the hands of workers. */
  #atWork(): number {
    return this.#workers
      .map(({ worker }) => worker.health())
      .reduce((sum, { running, buffered }) => sum + running + buffered, 0)
  }

  /** Jobs under a lease, whether or not anybody works on them. */
  #running(): number {
    return [...this.#queues].reduce((sum, queue) => sum + this.#parts.memory.runningIn(queue), 0)
  }

  #startable(): Entry | undefined {
    const working = this.#workers.filter(({ worker }) => isWorking(worker))
    const queues = new Set(working.flatMap((one) => [...one.queues]))
    return [...queues]
      .map((queue) => this.#parts.memory.startableIn(queue))
      .find((entry) => entry !== undefined)
  }

  #nextScheduled(): Entry | undefined {
    let next: Entry | undefined
    for (const entry of this.#parts.memory.accepted) {
      if (entry.record.state !== 'scheduled') continue
      if (next === undefined || (entry.record.dueAt ?? 0) < (next.record.dueAt ?? 0)) next = entry
    }
    return next
  }

  /** Whether every running handler can be one that waits for time. */
  #allSleep(): boolean {
    return this.#sleepers.size >= Math.max(1, this.#parts.memory.held.length)
  }

  #clockOfHandlers(clock: VirtualClock): Clock {
    return {
      now: () => clock.now(),
      elapsed: () => clock.elapsed(),
      keepAlive: () => clock.keepAlive(),
      after: (ms, run, kind) => {
        const sleeper = {}
        this.#sleepers.add(sleeper)
        const cancel = clock.after(
          ms,
          () => {
            this.#sleepers.delete(sleeper)
            run()
          },
          kind,
        )
        return () => {
          this.#sleepers.delete(sleeper)
          cancel()
        }
      },
    }
  }
}

function isWorking(worker: Worker): boolean {
  const { state } = worker.health()
  return state === 'running' || state === 'degraded'
}

function neverEnds({ job }: Claim, count: number, patienceMs: number): OffloadError {
  const others = count > 1 ? ` and ${count - 1} more` : ''
  return new OffloadError(
    'NOT_IDLE',
    `job ${job.id} of task "${job.task}"${others} has not ended for ${patienceMs} ms of real time: a handler that waits for time needs advance(), one that needs longer more patience`,
    { jobId: job.id, task: job.task, queue: job.queue },
  )
}

function endless(job: Job | undefined, what: string): OffloadError {
  return new OffloadError(
    'NOT_IDLE',
    `the queue does not come to rest: jobs such as ${job?.id ?? '?'} of task "${job?.task ?? '?'}" ${what}`,
    job === undefined ? {} : { jobId: job.id, task: job.task, queue: job.queue },
  )
}

function down(): OffloadError {
  return new OffloadError(
    'NOT_IDLE',
    'jobs wait and the backend is down: call what faults.backendDown() answered, or name a duration',
  )
}

function unanswered(patienceMs: number): OffloadError {
  return new OffloadError(
    'NOT_IDLE',
    `a call on the queue was not answered for ${patienceMs} ms of real time; an input schema that waits may be the cause`,
  )
}
