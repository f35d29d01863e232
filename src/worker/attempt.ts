import type { Beat, Claim } from '../broker.ts'
import type { AbortedError } from '../job/errors.ts'
import { AbortedError as Aborted } from '../job/errors.ts'
import { encode } from '../job/payload.ts'
import type { RunningAttempt } from '../presence/view.ts'

const PROGRESS_BYTES = 4096
const LOG_CHARS = 1000
const LOG_LINES = 100

/** One run of a claim: what its handler reports, and how it is told to stop. */
export class Attempt {
  readonly claim: Claim
  readonly startedAt: number
  /** When its lease ends, as far as this worker knows. */
  leaseUntil: number
  /** Why it was told to stop, if it was. */
  reason: AbortedError | undefined
  /** Told once, when the attempt is told to stop. */
  onAbort: ((reason: AbortedError) => void) | undefined
  #controller: AbortController | undefined
  #progress: string | undefined
  #log: { at: number; message: string }[] | undefined

  constructor(claim: Claim, startedAt: number, leaseUntil: number) {
    this.claim = claim
    this.startedAt = startedAt
    this.leaseUntil = leaseUntil
  }

  /** How long the job could have started before it did; of one that was tried before, it is not known when it was due. */
  get waitMs(): number | null {
    const { job, attempt } = this.claim
    return attempt > 1 ? null : Math.max(0, this.startedAt - Math.max(job.createdAt, job.runAt ?? 0))
  }

  /** As others see it. */
  view(): RunningAttempt {
    const { startedAt, leaseUntil } = this
    const { job, attempt } = this.claim
    return { jobId: job.id, task: job.task, queue: job.queue, attempt, startedAt, leaseUntil }
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

  /** The last one wins. */
  progress(value: unknown): void {
    this.#progress = encode(value, PROGRESS_BYTES)
  }

  /** Adds a line, without the oldest where there are too many. */
  log(message: unknown, at: number): void {
    this.#log ??= []
    this.#log.push({ at, message: String(message).slice(0, LOG_CHARS).toWellFormed() })
    if (this.#log.length > LOG_LINES) this.#log.shift()
  }
}
