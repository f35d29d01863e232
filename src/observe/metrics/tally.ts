import type { AnsweredCall, EndedAttempt, Requested, Troubled } from '../observer.ts'
import { defaultBuckets, Histogram, longBuckets } from './histogram.ts'

/** What is counted of one task in one queue. */
export class TaskTally {
  readonly labels: { readonly queue: string; readonly task: string }
  /** Jobs by what the backend answered. */
  readonly answers: Map<string, number> = new Map()
  /** Attempts by their outcome. */
  readonly outcomes: Map<string, number> = new Map()
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
    for (const [index, { queue, task }] of jobs.entries())
      increase(this.of(queue, task).answers, accepted?.[index]?.status ?? 'failed')
  }

  ended({ claim, outcome, waitMs, runMs, settleMs }: EndedAttempt): void {
    const tally = this.of(claim.job.queue, claim.job.task)
    increase(tally.outcomes, outcome)
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
    return this.#byQueue.get(queue)?.get(task) ?? this.#first(queue, task)
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

function increase(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1)
}
