import type { Percentiles } from './spread.ts'

/** Who told of itself last, and when. Instants are milliseconds since the epoch. */
export interface Presence {
  /** Of this one alone, even where a process has many. */
  readonly id: string
  readonly host: string
  readonly pid: number
  /** Of Offload. */
  readonly version: string
  readonly startedAt: number
  readonly seenAt: number
  /** Of one core, 1 for all of it; by the whole process. */
  readonly cpu: number
  readonly memoryBytes: number
}

/** What a worker told of itself last. */
export interface WorkerView extends Presence {
  /** As it stands with the jobs that it runs: `host:pid`. */
  readonly name: string
  readonly queues: readonly string[]
  readonly state: 'running' | 'degraded' | 'stopping' | 'stopped'
  /** Why it is degraded. */
  readonly reason?: string
  /** Handlers that may run at once. */
  readonly slots: number
  readonly running: number
  /** What runs, the oldest first: so many at most. */
  readonly attempts: readonly RunningAttempt[]
  /** Claimed ahead. */
  readonly buffered: number
  /** Ended, and not stored yet. */
  readonly unsettled: number
  /** Attempts that ended here since the start. */
  readonly ended: {
    readonly done: number
    readonly failed: number
    readonly dead: number
    readonly lost: number
  }
  /** Of the last minute: from when a job could start to its first start, and from start to end. */
  readonly wait: Percentiles | null
  readonly run: Percentiles | null
  /** Queues that it has slowed since their jobs fail. */
  readonly slowed: readonly SlowedQueue[]
  /** The longest that the event loop was late since it was told before. */
  readonly loopDelayMs: number
}

/** `open`: nothing is started; `probing`: one job at a time is tried. */
export interface SlowedQueue {
  readonly queue: string
  readonly state: 'open' | 'probing'
}

export interface RunningAttempt {
  readonly jobId: string
  readonly task: string
  readonly queue: string
  readonly attempt: number
  readonly startedAt: number
  /** When its lease ends if nobody renews it: what no worker holds by then runs again. Missing of older releases. */
  readonly leaseUntil?: number
}

/** What an autoscaler told last: how many workers it wants, and what it decided lately. */
export interface ScalerView extends Presence {
  /** Those that its workers serve; undefined for all. */
  readonly queues?: readonly string[]
  readonly min: number
  readonly max: number
  readonly targetAgeMs: number
  /** Wanted now. */
  readonly workers: number
  /** The newest last: so many at most. */
  readonly decisions: readonly ScalingDecision[]
}

export interface ScalingDecision {
  readonly at: number
  readonly from: number
  readonly to: number
  /** One word. */
  readonly reason: string
  /** One sentence with the figures. */
  readonly text: string
}
