import type { StandardSchemaV1 } from '@standard-schema/spec'

/** How a job ended: the input of its `onDone` tasks. Times are milliseconds since the epoch. */
export interface EndedJob {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: 'done' | 'dead' | 'cancelled'
  readonly attempt: number
  readonly createdAt: number
  readonly endedAt: number
  readonly tenant?: string
  /** Of a done job; left out when there is none, or when its JSON is over 16 kB. */
  readonly result?: unknown
  /** The length of a result that was left out. */
  readonly resultLength?: number
  /** Of a dead job. */
  readonly error?: { readonly code: string; readonly message: string }
  /** What `onDone` was given along. */
  readonly data?: unknown
}

export const endedJob: StandardSchemaV1<EndedJob, EndedJob> = {
  '~standard': {
    version: 1,
    vendor: 'offload',
    validate: (value) =>
      isEndedJob(value) ? { value } : { issues: [{ message: 'this is not how a job ended' }] },
  },
}

/** The latest instant of a Date. */
const LAST_INSTANT = 8.64e15

function isEndedJob(value: unknown): value is EndedJob {
  if (typeof value !== 'object' || value === null) return false
  const { id, task, queue, state, createdAt, endedAt } = value as Partial<EndedJob>
  const areNames = [id, task, queue].every((name) => typeof name === 'string')
  const areTimes = [createdAt, endedAt].every(
    (time) => typeof time === 'number' && time >= 0 && time <= LAST_INSTANT,
  )
  return areNames && areTimes && (state === 'done' || state === 'dead' || state === 'cancelled')
}
