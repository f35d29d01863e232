/** What a producer hands over: everything about a job that never changes. */
export interface Job {
  /** Time-sortable and unguessable unless the producer chose it. */
  readonly id: string
  readonly task: string
  readonly queue: string
  /** JSON text, exactly as encoded by the producer. */
  readonly payload: string
  /** 0 to 9, higher first; 4 is normal. */
  readonly priority: number
  /** Jobs of one queue with the same key run one at a time, in the order of their acceptance. */
  readonly key?: string
  /** Milliseconds since the epoch at the producer. */
  readonly createdAt: number
  /** Not to be started before (ms). */
  readonly runAt?: number
  /** Not to be started after (ms). */
  readonly deadline?: number
  /** How many attempts may be made in all. */
  readonly maxAttempts: number
  /** W3C trace context, carried as it came. */
  readonly trace?: Readonly<Record<string, string>>
  /** Whose it is. */
  readonly tenant?: string
  /** One job at most is remembered with this key; another payload under it is refused. */
  readonly idempotency?: Idempotency
  /** What is queued when it has ended, in the same step. */
  readonly onDone?: readonly FollowUp[]
  /** Only when it is moved from another store, and only until it is recorded; no producer sends it. */
  readonly past?: Past
}

/** What a job that is moved from another store has lived through there. */
export interface Past {
  readonly state: 'queued' | 'scheduled' | 'dead'
  readonly attempt: number
  readonly fence: number
  /** Its place in line is made of it. */
  readonly acceptedAt: number
  /** Of a scheduled one. */
  readonly dueAt?: number
  readonly startedAt?: number
  /** Of a dead one. */
  readonly endedAt?: number
  readonly faults: readonly JobFault[]
  readonly progress?: string
  readonly log?: readonly LogLine[]
}

export interface Idempotency {
  /** At most 200 characters; says for itself what it is scoped to. */
  readonly key: string
  /** Equal for equal requests. */
  readonly fingerprint: string
}

/** A job to come: its payload is known when the one before has ended. */
export interface FollowUp {
  /** The beginning of its id. */
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly priority: number
  readonly maxAttempts: number
  /** JSON text, handed over as it is. */
  readonly data?: string
}

export type JobState = 'scheduled' | 'queued' | 'running' | 'done' | 'dead' | 'cancelled'

export const jobStates: readonly JobState[] = ['scheduled', 'queued', 'running', 'done', 'dead', 'cancelled']

export function isWaiting(state: JobState): boolean {
  return state === 'queued' || state === 'scheduled'
}

/** An ended job is never run again by itself. */
export function isEnded(state: JobState): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled'
}

/** A fault in storable form. `message` and `stack` are bounded. */
export interface JobFault {
  readonly code: string
  readonly name: string
  readonly message: string
  readonly stack?: string
  /** The attempt that ended so. */
  readonly attempt: number
  readonly at: number
}

export interface LogLine {
  readonly at: number
  readonly message: string
}

/** What is remembered of a job. */
export interface JobRecord extends Job {
  readonly state: JobState
  /** Attempts begun; a clean release or a snooze gives one back. */
  readonly attempt: number
  /** Grows with every claim; a settle that carries an older one is refused. */
  readonly fence: number
  /** When the current state can next change by time alone: due (scheduled) or end of the lease (running). */
  readonly dueAt?: number
  readonly worker?: string
  readonly startedAt?: number
  readonly endedAt?: number
  /** A cancel was asked for while a handler ran. */
  readonly cancelling?: boolean
  /** JSON text of the result of a done job. */
  readonly result?: string
  /** Faults of the attempts, newest last, at most {@link MAX_FAULTS}. */
  readonly faults: readonly JobFault[]
  /** JSON text of the last progress. */
  readonly progress?: string
  readonly log: readonly LogLine[]
}

export const MAX_FAULTS = 10
export const MAX_LOG_LINES = 100

/** The fault that an ended job ended with, if it did. */
export function lastFault(job: JobRecord): JobFault | undefined {
  return job.faults.at(-1)
}
