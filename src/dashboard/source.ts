import type { Depth } from '../broker.ts'
import type { Offload } from '../offload.ts'
import type { Schedules } from '../schedule/schedules.ts'

/** What the dashboard needs of a queue: what `offload()` makes has it all. */
export interface DashboardSource
  extends Pick<
    Offload,
    | 'cancel'
    | 'enqueue'
    | 'find'
    | 'follow'
    | 'get'
    | 'pause'
    | 'purge'
    | 'redrive'
    | 'resume'
    | 'retry'
    | 'tasks'
    | 'workers'
  > {
  readonly schedules: Pick<Schedules, 'list' | 'next' | 'pause' | 'resume' | 'runNow'>
  queues(): Promise<readonly QueueDepth[]>
}

export interface QueueDepth extends Depth {
  readonly totals?: Totals | null
}

/** Since the store was made, growing only. */
export interface Totals {
  readonly accepted: number
  readonly done: number
  readonly failed: number
  readonly dead: number
  readonly cancelled: number
}
