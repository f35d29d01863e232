import type { Links } from '../http/links.ts'
import type { Content } from '../job/content.ts'
import type { JobState } from '../job/job.ts'
import type { JobEventType } from '../ledger.ts'
import type { AnyTask, Task } from '../task.ts'
import type { ClientProblem } from './error.ts'
import { OffloadClientError } from './error.ts'

/** A job as the server tells of it: plain data that can be kept and passed on. What the answer to `submit()` lacks is optional. */
export interface ClientJob<Result = unknown> {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: JobState
  readonly cancelling?: boolean
  readonly attempt?: number
  readonly maxAttempts?: number
  /** Times are ISO 8601. */
  readonly createdAt?: string | undefined
  readonly runAt?: string | undefined
  readonly startedAt?: string | undefined
  readonly endedAt?: string | undefined
  readonly progress?: unknown
  /** Of a done job: JSON of at most 16 kB; a longer one is at `resultUrl`. */
  readonly result?: Result
  readonly resultUrl?: string
  /** Why a dead job is dead. */
  readonly error?: ClientProblem
  readonly links: Pick<Links, 'self' | 'events'> & Partial<Links>
}

/** What was told of a job. `id` grows in the stream; what was polled has none. */
export type ClientEvent<Result = unknown> =
  | {
      readonly type: 'state' | 'reset' | 'done' | 'dead' | 'cancelled'
      readonly id: number | undefined
      /** The whole job as it is now. After `reset` it stands for events that are gone. */
      readonly job: ClientJob<Result>
    }
  | {
      readonly type: Exclude<JobEventType, 'done' | 'dead' | 'cancelled' | 'gap'>
      readonly id: number | undefined
      readonly job?: undefined
      readonly attempt: number
      readonly at: string
      readonly progress?: unknown
    }

/** Which task each route takes: the type of the server's `accept` table, or one that you write. */
export type Api = Readonly<Record<string, AnyTask | { readonly task: AnyTask }>>

type TaskOf<Route> = Route extends { readonly task: infer Inner } ? Inner : Route

/** What a route takes. */
export type InputOf<Route> = TaskOf<Route> extends Task<infer Input, infer _> ? Input : never

/** What a job of a route ends with. What a handler made with `content()` comes as a Blob. */
export type ResultOf<Route> =
  TaskOf<Route> extends Task<infer _, infer Result> ? (Result extends Content ? Blob : Result) : never

/** The job in an answer. @throws HTTP_FAILED */
export function asJob<Result>(value: unknown, status: number): ClientJob<Result> {
  const job = value as ClientJob<Result> | null
  if (typeof job?.state === 'string' && typeof job.links?.self === 'string') return job
  throw new OffloadClientError('HTTP_FAILED', `the server answered ${status} with what is no job`, { status })
}

export function isEnded({ state }: ClientJob): boolean {
  return state === 'done' || state === 'dead' || state === 'cancelled'
}

/** The job, when it is done. @throws JOB_DEAD, JOB_CANCELLED, RESULT_PENDING */
export function done<Result>(job: ClientJob<Result>): ClientJob<Result> {
  const { id, state, error } = job
  if (state === 'done') return job
  const more = { status: 409, cause: error }
  if (state === 'cancelled') throw new OffloadClientError('JOB_CANCELLED', `job ${id} was cancelled`, more)
  if (state === 'dead')
    throw new OffloadClientError(
      'JOB_DEAD',
      `job ${id} is dead: ${error?.detail ?? 'no reason is known'}`,
      more,
    )
  throw new OffloadClientError('RESULT_PENDING', `job ${id} is ${state}: ask again later`, more)
}
