import type { Accepted } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import type { AnsweredCall, AttemptOutcome, EndedAttempt, Requested, Troubled } from '../observer.ts'
import { defaultBuckets, Histogram, longBuckets } from './histogram.ts'

/** What is counted of one task in one queue. */
export class TaskTally {
  readonly labels: { readonly queue: string; readonly task: string }
  /** Jobs by what the backend answered; `failed` also where it answered nothing. */
  readonly answers: Record<Accepted['status'], number> = {
    queued: 0,
    duplicate: 0,
    full: 0,
    mismatch: 0,
    taken: 0,
    tooLarge: 0,
    failed: 0,
  }
  /** Attempts by their outcome. */
  readonly outcomes: Record<AttemptOutcome, number> = {
    done: 0,
    retry: 0,
    snooze: 0,
    release: 0,
    dead: 0,
    cancelled: 0,
    lost: 0,
  }
  readonly wait: Histogram = new Histogram(longBuckets)
  readonly run: Histogram = new Histogram(longBuckets)

  constructor(queue: string, task: string) {
    this.labels = { queue, task }
  }
}

/** What is counted of one route, method and status. */
export interface RouteTally {
  readonly method: string
  readonly route: string
  readonly status: number
  readonly times: Histogram
}

/** What stands for every name past the limit: of tasks, queues and routes that are told apart. */
export const OTHER = 'other'
/** Statuses and methods times routes: more comes of a mistake alone. */
const MOST_ROUTES = 500

/**
 * Counts what happens, in plain numbers: a metrics library that looks labels up at each observation costs more than a job. What
 * is counted is read when somebody asks.
 */
export class Tally {
  readonly accept: Histogram = new Histogram(defaultBuckets)
  readonly settle: Histogram = new Histogram(defaultBuckets)
  troubles = 0
  reconnects = 0
  readonly #most: number
  readonly #byQueue = new Map<string, Map<string, TaskTally>>()
  readonly #tasks: TaskTally[] = []
  readonly #routes = new Map<string, RouteTally>()
  #other: TaskTally | undefined
  /** Many jobs of one task come in a row. */
  #last = new TaskTally('', '')

  /** @param most pairs of queue and task that are told apart */
  constructor(most: number) {
    this.#most = most
  }

  get tasks(): readonly TaskTally[] {
    return this.#other === undefined ? this.#tasks : [...this.#tasks, this.#other]
  }

  get routes(): Iterable<RouteTally> {
    return this.#routes.values()
  }

  answered({ jobs, accepted, ms }: AnsweredCall): void {
    this.accept.add(ms / 1000)
    for (let at = 0; at < jobs.length; at++) {
      const { queue, task } = jobs[at] as Job
      this.of(queue, task).answers[accepted?.[at]?.status ?? 'failed']++
    }
  }

  ended({ claim, outcome, waitMs, runMs, settleMs }: EndedAttempt): void {
    const tally = this.of(claim.job.queue, claim.job.task)
    tally.outcomes[outcome]++
    if (waitMs !== null) tally.wait.add(waitMs / 1000)
    tally.run.add(runMs / 1000)
    this.settle.add(settleMs / 1000)
  }

  troubled({ error }: Troubled): void {
    if (error === undefined) this.reconnects++
    else this.troubles++
  }

  requested({ method, route, status, ms }: Requested): void {
    const key = `${method} ${status} ${route}`
    let tally = this.#routes.get(key)
    if (tally === undefined) {
      const isOver = this.#routes.size >= MOST_ROUTES
      const at = isOver ? OTHER : key
      tally = this.#routes.get(at) ?? {
        method: isOver ? OTHER : method,
        route: isOver ? OTHER : route,
        status: isOver ? 0 : status,
        times: new Histogram(defaultBuckets),
      }
      this.#routes.set(at, tally)
    }
    tally.times.add(ms / 1000)
  }

  /** Names come from producers, which may be strangers: there is room for so many. */
  of(queue: string, task: string): TaskTally {
    const { labels } = this.#last
    if (labels.task === task && labels.queue === queue) return this.#last
    const found = this.#byQueue.get(queue)?.get(task) ?? this.#first(queue, task)
    if (found !== this.#other) this.#last = found
    return found
  }

  #first(queue: string, task: string): TaskTally {
    if (this.#tasks.length >= this.#most) {
      this.#other ??= new TaskTally(OTHER, OTHER)
      return this.#other
    }
    const tally = new TaskTally(queue, task)
    const ofQueue = this.#byQueue.get(queue)
    if (ofQueue === undefined) this.#byQueue.set(queue, new Map([[task, tally]]))
    else ofQueue.set(task, tally)
    this.#tasks.push(tally)
    return tally
  }
}
