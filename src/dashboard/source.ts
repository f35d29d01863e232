import type { Offload } from '../offload.ts'
import type { Schedules } from '../schedule/schedules.ts'

/** What the dashboard needs of a queue: what `offload()` makes has it all. */
export interface DashboardSource
  extends Pick<
    Offload,
    | 'cancel'
    | 'depth'
    | 'enqueue'
    | 'find'
    | 'follow'
    | 'get'
    | 'pause'
    | 'purge'
    | 'queues'
    | 'redrive'
    | 'resume'
    | 'retry'
    | 'tasks'
    | 'workers'
  > {
  readonly schedules: Pick<Schedules, 'list' | 'next' | 'pause' | 'resume' | 'runNow'>
}
