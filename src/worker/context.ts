import type { Clock } from '../clock.ts'
import { tickOf } from '../job/id.ts'
import type { Enqueue, JobContext } from '../task.ts'
import type { Attempt } from './attempt.ts'

/** What a handler gets besides its input; all of it is its own, so that it can be spread and taken apart. */
export class Context implements JobContext {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly attempt: number
  readonly maxAttempts: number
  readonly input: unknown
  readonly key: string | undefined
  readonly scheduledFor: number | undefined
  declare readonly signal: AbortSignal
  readonly progress: (value: unknown) => void
  readonly log: (message: string) => void
  readonly enqueue: Enqueue
  readonly #attempt: Attempt

  /** One getter for all: one of its own costs a job more than all the rest of it. */
  static readonly #signal: ThisType<Context> & PropertyDescriptor = {
    enumerable: true,
    configurable: true,
    get() {
      return this.#attempt.signal
    },
  }

  constructor(attempt: Attempt, input: unknown, enqueue: Enqueue, clock: Clock) {
    const { job, attempt: nth } = attempt.claim
    this.id = job.id
    this.task = job.task
    this.queue = job.queue
    this.attempt = nth
    this.maxAttempts = job.maxAttempts
    this.input = input
    this.key = job.key
    this.scheduledFor = tickOf(job.id)
    Object.defineProperty(this, 'signal', Context.#signal)
    this.progress = (value) => attempt.progress(value)
    this.log = (message) => attempt.log(message, clock.now())
    this.enqueue = enqueue
    this.#attempt = attempt
  }
}
