import type { Accepted, Claim, Depth } from '../broker.ts'
import type { Job, JobFault } from '../job/job.ts'

/**
 * Told of what this process does with jobs: metrics, traces and logs are made of it. Every member is optional. What one throws
 * is logged once and stops nothing. Called on the way of each job: it must be quick.
 */
export interface Observer {
  /** Called once, with what can be asked at any time. */
  attach?(observed: Observed): void
  /** A job that is about to be sent, in the context of who called `enqueue`; answers the job to be sent in its place. */
  sending?(job: Job): Job
  /** The backend has answered a call, or could not be asked. */
  answered?(told: AnsweredCall): void
  /** What the work of an attempt is to be inside of, a span for one; undefined: of nothing, which costs the job nothing more. */
  around?(claim: Claim): Within | undefined
  /** The end of an attempt is stored, or never will be by this worker. */
  ended?(told: EndedAttempt): void
  /** A worker can no longer reach its backend, or can again. */
  troubled?(told: Troubled): void
  /** A request of ours was answered. */
  requested?(told: Requested): void
  /** The queue is closed: nothing more is told. */
  close?(): void
}

/** Calls what is done for an attempt, once, in its place. */
export type Within = (run: () => void) => void

/** What an observer may ask. */
export interface Observed {
  /** What is in each queue. */
  queues(): Promise<readonly Depth[]>
  /** The workers of this process. */
  workers(): readonly WorkerState[]
  /** What moves the jobs, such as `redis`; undefined before it is opened. */
  backend(): string | undefined
  /** Whether the queue was closed, or is about to be. */
  isClosing(): boolean
}

/** What a worker of this process does now. */
export interface WorkerState {
  readonly name: string
  readonly queues: readonly string[]
  readonly state: 'running' | 'degraded' | 'stopping' | 'stopped'
  /** Why it is degraded. */
  readonly reason?: string
  /** Handlers that may run at once. */
  readonly slots: number
  readonly running: number
  /** Claimed ahead. */
  readonly buffered: number
  /** Ended, and not stored yet. */
  readonly unsettled: number
  /** Since the backend last answered the queue that it has not answered for longest; grows while a server holds a claim that waits. */
  readonly unheardMs: number
}

/** Jobs that went to the backend in one call, or were to go when it was found to be away. */
export interface AnsweredCall {
  readonly jobs: readonly Job[]
  /** One a job, in order; undefined where the call was rejected. */
  readonly accepted?: readonly Accepted[]
  readonly error?: unknown
  /** How long the call took. */
  readonly ms: number
}

export type AttemptOutcome = 'done' | 'retry' | 'snooze' | 'release' | 'dead' | 'cancelled' | 'lost'

/** An attempt from its start to its stored end. Times are milliseconds. */
export interface EndedAttempt {
  readonly claim: Claim
  /** `lost`: its lease was lost before its end could be stored. */
  readonly outcome: AttemptOutcome
  readonly fault?: JobFault
  /** From when the job could start to its start; null after the first attempt: when it was due is not known. Clocks of two hosts may differ. */
  readonly waitMs: number | null
  readonly runMs: number
  /** From the end of the handler until that was stored. */
  readonly settleMs: number
}

export interface Troubled {
  readonly worker: string
  /** What the backend said; undefined where it is reached again. */
  readonly error?: unknown
}

export interface Requested {
  readonly method: string
  /** The pattern, with `{id}` for one segment. */
  readonly route: string
  readonly status: number
  readonly ms: number
}
