import type { Beat, Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import type { AbortedError } from '../job/errors.ts'
import { AbortedError as Aborted } from '../job/errors.ts'
import { tickOf } from '../job/id.ts'
import { encode } from '../job/payload.ts'
import type { Enqueue, JobContext } from '../task.ts'

const PROGRESS_BYTES = 4096
const LOG_CHARS = 1000
const LOG_LINES = 100

/** One run of a claim: what its handler reports, and how it is told to stop. */
export class Attempt {
  readonly claim: Claim
  readonly startedAt: number
  /** Why it was told to stop, if it was. */
  reason: AbortedError | undefined
  /** Told once, when the attempt is told to stop. */
  onAbort: ((reason: AbortedError) => void) | undefined
  #controller: AbortController | undefined
  #progress: string | undefined
  #log: { at: number; message: string }[] | undefined

  constructor(claim: Claim, startedAt: number) {
    this.claim = claim
    this.startedAt = startedAt
  }

  /** Made when a handler first asks: most never do. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController()
      if (this.reason !== undefined) this.#controller.abort(this.reason)
    }
    return this.#controller.signal
  }

  abort(code: 'JOB_TIMEOUT' | 'JOB_CANCELLED' | 'LEASE_LOST' | 'WORKER_STOPPED', message: string): void {
    if (this.reason !== undefined) return
    this.reason = new Aborted(code, message, { jobId: this.claim.job.id })
    this.#controller?.abort(this.reason)
    this.onAbort?.(this.reason)
  }

  get hasReports(): boolean {
    return this.#progress !== undefined || this.#log !== undefined
  }

  /** A sign of life that carries the reports off. */
  beat(): Beat {
    const [progress, log] = [this.#progress, this.#log]
    this.#progress = undefined
    this.#log = undefined
    return {
      claim: this.claim,
      ...(progress === undefined ? {} : { progress }),
      ...(log === undefined ? {} : { log }),
    }
  }

  /** What the handler gets besides its input. */
  context(input: unknown, enqueue: Enqueue, clock: Clock): JobContext {
    const { job, attempt } = this.claim
    const own = this
    return {
      id: job.id,
      task: job.task,
      queue: job.queue,
      attempt,
      maxAttempts: job.maxAttempts,
      input,
      key: job.key,
      scheduledFor: tickOf(job.id),
      get signal() {
        return own.signal
      },
      progress: (value) => {
        this.#progress = encode(value, PROGRESS_BYTES)
      },
      log: (message) => {
        this.#log ??= []
        this.#log.push({ at: clock.now(), message: String(message).slice(0, LOG_CHARS).toWellFormed() })
        if (this.#log.length > LOG_LINES) this.#log.shift()
      },
      enqueue,
    }
  }
}
