import type { Depth, Totals } from '../broker.ts'
import type { JobFault, LogLine } from '../job/job.ts'
import type { Percentiles } from '../presence/spread.ts'
import type { ScalerView, WorkerView } from '../presence/view.ts'
import type { JobView } from '../reading/view.ts'
import type { ScheduleView } from '../schedule/schedules.ts'
import type { DashboardAction } from './options.ts'

/** What the API of the dashboard tells as JSON: the page is written against these. Times are milliseconds. */
export interface About {
  readonly version: string
  readonly readOnly: boolean
  /** What whoever asks may do. */
  readonly may: readonly DashboardAction[]
}

/** A second of a queue, or of all. Null where the store cannot tell. */
export type Rates = { readonly [Name in keyof Totals]: number }

export interface QueueRow extends Omit<Depth, 'totals'> {
  readonly rates: Rates | null
}

/** One second of everything. */
export interface Sample {
  readonly at: number
  readonly ready: number | null
  readonly running: number | null
  readonly scheduled: number | null
  readonly dead: number | null
  readonly oldestAgeMs: number | null
  readonly rates: Rates | null
  /** Null where the store remembers none. */
  readonly workers: WorkersSum | null
}

export interface WorkersSum {
  readonly count: number
  readonly troubled: number
  readonly slots: number
  readonly running: number
  readonly wait: Percentiles | null
  readonly run: Percentiles | null
}

/** The events of `GET api/live`. */
export interface Live {
  readonly sample: Sample
  readonly queues: readonly QueueRow[]
  /** Beyond those that are told, for want of room. */
  readonly moreQueues: number
}

export interface LiveWorkers {
  readonly workers: readonly WorkerView[] | null
  readonly moreWorkers: number
  /** What decides how many there are. */
  readonly scalers: readonly ScalerView[]
}

export interface LiveTrouble {
  readonly at: number
  readonly code: string
  readonly title: string
}

export interface JobRow
  extends Pick<
    JobView,
    | 'id'
    | 'task'
    | 'queue'
    | 'state'
    | 'priority'
    | 'attempt'
    | 'maxAttempts'
    | 'createdAt'
    | 'runAt'
    | 'startedAt'
    | 'endedAt'
    | 'key'
  > {
  readonly error?: Pick<JobFault, 'code' | 'message'>
}

export interface JobPage {
  readonly jobs: readonly JobRow[]
  readonly next?: string
  /** Where an error text is looked for: so many jobs were looked at for this page. */
  readonly looked?: number
}

export interface JobDetail extends JobRow {
  readonly deadline?: number
  readonly tenant?: string
  readonly cancelling: boolean
  readonly faults: readonly JobFault[]
  readonly eventId: number
  /** What the job carries: absent for who may not see it. */
  readonly carried?: Carried
  /** Who runs it, as far as the workers tell. */
  readonly worker?: { readonly id: string; readonly name: string; readonly startedAt: number }
}

export interface Carried {
  readonly payload: unknown
  readonly result?: unknown
  /** A result that is bytes of a type of its own, to be had at `api/jobs/{id}/result`. */
  readonly content?: { readonly type: string; readonly filename?: string; readonly bytes: number }
  readonly progress?: unknown
  readonly log: readonly LogLine[]
}

/** Dead letters that died alike. */
export interface DeadGroup {
  readonly task: string
  readonly code: string
  /** Their message, with a mark where ids and numbers differ. */
  readonly pattern: string
  /** Of the newest. */
  readonly message: string
  readonly newestId: string
  readonly count: number
  readonly newestAt: number
  readonly oldestAt: number
  readonly queues: readonly string[]
}

export interface DeadPage {
  readonly groups: readonly DeadGroup[]
  readonly looked: number
  readonly next?: string
}

/** Which dead letters are meant: all of these at once. */
export interface DeadSelection {
  readonly ids?: readonly string[]
  readonly queue?: string
  readonly task?: string
  readonly code?: string
  readonly pattern?: string
}

/** A line of the answer to redrive and purge. */
export type BulkLine =
  | { readonly done: number }
  | { readonly finished: number }
  | { readonly stopped: { readonly code: string; readonly title: string }; readonly done: number }

export interface TaskRow {
  readonly name: string
  readonly queue: string
  readonly priority: number
  /** What its input looks like, where its schema tells. */
  readonly schema?: Readonly<Record<string, unknown>>
}

export interface SchedulePage {
  readonly schedules: readonly ScheduleView[]
  readonly next?: string
}
