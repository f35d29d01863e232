import type { OffloadError } from './job/errors.ts'
import type { Job } from './job/job.ts'
import type { Settlement } from './job/state.ts'

/** Moves jobs from producers to workers. Every method takes a batch: one call, one round trip. */
export interface Broker {
  readonly name: string
  readonly features: Features
  /** Durably takes each job or says why not; an answer per job, in order. Rejects only when none was taken for certain. */
  enqueue(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]>
  /** Waits for at least one job of the queue, then takes up to `limit` most urgent ones. Resolves empty once `signal` aborts. */
  claim(queue: string, want: WaitingWant): Promise<readonly Claim[]>
  /** Ends claims; `false` where the lease was lost, and then nothing changed. */
  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]>
  /** Extends the leases and carries what the handlers reported since the last call. */
  renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]>
  depth(queue: string): Promise<Depth>
  close(): Promise<void>
}

/** Of jobs that wait: queued and scheduled. */
export interface Amount {
  readonly jobs: number
  /** Of their payloads, in UTF-8. */
  readonly bytes: number
}

/** As much as may wait in a queue: a job that would make it more is refused. */
export type Room = (queue: string) => Amount

export interface Want {
  /** At most so many jobs. */
  readonly limit: number
  readonly leaseMs: number
  /** Who claims, for people to read. */
  readonly worker: string
}

export interface WaitingWant extends Want {
  readonly signal: AbortSignal
  /** Told when nothing is there, but whoever publishes will be heard: the server answers. */
  readonly onWaiting?: () => void
}

/** What became of a job that was sent. */
export type Accepted = Judged | Failed

interface Judged {
  /** Of the job that is remembered: the one before, where the idempotency key was met again. */
  readonly id: string
  /**
   * `full`: refused, the queue is at its limit. `duplicate`: the id or the idempotency key is remembered already.
   * `mismatch`: refused, the key is remembered with another fingerprint. `taken`: refused, the id is that of a job of another
   * tenant. `tooLarge`: refused, no message of this server holds so much.
   */
  readonly status: 'queued' | 'duplicate' | 'full' | 'mismatch' | 'taken' | 'tooLarge'
  /** Of `full`: which limit of the queue was met; neither where it is one of the server's own. */
  readonly limit?: keyof Amount
  readonly error?: never
}

/** Not accepted, or not for certain, as `error` says; others that were sent with it may be. */
interface Failed {
  readonly id: string
  readonly status: 'failed'
  readonly error: OffloadError
  readonly limit?: never
}

/** A job in a worker's hands. */
export interface Claim {
  readonly job: Job
  /** Which attempt this is, from 1. */
  readonly attempt: number
  /** The fencing token: grows with every claim of the job. */
  readonly fence: number
  readonly leaseUntil: number
  /** What the backend needs to find the claim again; nobody else looks inside. */
  readonly receipt?: unknown
  /** A message of another program's: a ledger beside the broker does not know its job yet. */
  readonly foreign?: boolean
  /** Set when the message could not be read: why. `job.payload` then holds what was received. */
  readonly malformed?: string
}

/** A sign of life of one running job. */
export interface Beat {
  readonly claim: Claim
  /** JSON text. */
  readonly progress?: string
  readonly log?: readonly { readonly at: number; readonly message: string }[]
}

export type LeaseState = 'held' | 'lost' | 'cancelled'

/** What is in a queue. A number that the backend cannot tell is null, never 0. */
export interface Depth {
  readonly queue: string
  /** Could start now, and jobs that wait for an earlier one of their key. */
  readonly ready: number | null
  readonly running: number | null
  readonly scheduled: number | null
  readonly dead: number | null
  /** Of the payloads of queued and scheduled jobs, in UTF-8. */
  readonly waitingBytes: number | null
  /** Since the acceptance of the oldest job that could start now; null when there is none or it cannot be told. */
  readonly oldestAgeMs: number | null
  readonly paused: boolean
  readonly exact: boolean
  /** Since the store was made. */
  readonly totals: Totals | null
}

/** What became of jobs, counted up and never down: the difference of two looks is exact. */
export interface Totals {
  /** Also those that follow others, are queued by schedules, or were moved here from another store. */
  readonly accepted: number
  readonly done: number
  /** Attempts that failed, or whose lease was lost, and that are followed by another. */
  readonly failed: number
  /** A dead letter that is tried again and dies again counts twice. */
  readonly dead: number
  readonly cancelled: number
}

/** What a broker can do by itself; the core makes up for the rest from a ledger, or refuses at start. */
export interface Features {
  /** How a message is acknowledged: each alone, or all up to a position. */
  readonly acknowledge: 'each' | 'upTo'
  /** What brings an unsettled message back. */
  readonly redeliver: 'lease' | 'connection' | 'offset'
  /** Longest native delay in ms; 0 for none, Infinity for any. */
  readonly delayMs: number
  /** Native levels of priority; 1 for none. */
  readonly priorities: number
  /** One at a time and in order for each key, across retries. */
  readonly ordered: boolean
  /** How long an id is remembered for dedup, in ms; 0 for not at all. */
  readonly dedupMs: number
  /** Refuses the settle of a worker that lost its lease. */
  readonly fenced: boolean
  readonly maxMessageBytes: number
  readonly maxBatch: number
  readonly exactDepth: boolean
  /** A server works on one call while the next is made: two calls of half the jobs are done sooner than one. */
  readonly overlaps?: true
}
