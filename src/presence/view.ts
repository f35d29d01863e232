import type { Percentiles } from './spread.ts'

/** What a worker told of itself last. Times are milliseconds since the epoch where they are instants. */
export interface WorkerView {
  /** Of this worker alone, even where a process has many. */
  readonly id: string
  /** As it stands with the jobs that it runs: `host:pid`. */
  readonly name: string
  readonly host: string
  readonly pid: number
  /** Of Offload. */
  readonly version: string
  readonly startedAt: number
  readonly seenAt: number
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
  /** Of one core, 1 for all of it; by the whole process. */
  readonly cpu: number
  readonly memoryBytes: number
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
}
