import type { JobFault, JobRecord, JobState, LogLine } from '../job/job.ts'
import { lastFault } from '../job/job.ts'
import { decode } from '../job/payload.ts'

/** What is told of a job. Times are milliseconds since the epoch. */
export interface JobView {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: JobState
  readonly priority: number
  readonly attempt: number
  readonly maxAttempts: number
  readonly createdAt: number
  readonly runAt?: number
  readonly startedAt?: number
  readonly endedAt?: number
  readonly deadline?: number
  readonly key?: string
  readonly tenant?: string
  readonly trace?: Readonly<Record<string, string>>
  /** A cancel was asked for and the handler has not ended yet. */
  readonly cancelling: boolean
  /** The input as it was sent; the raw text when it cannot be decoded. */
  readonly payload: unknown
  readonly result?: unknown
  readonly progress?: unknown
  readonly log: readonly LogLine[]
  /** The last fault of a job that failed, dead or waiting for its next attempt. */
  readonly error?: JobFault
  /** The faults of the attempts, newest last. */
  readonly faults: readonly JobFault[]
  /** The number of the last event when this was read: `watch(id, { after: eventId })` goes on from here. */
  readonly eventId: number
}

export function viewOf(record: JobRecord, eventId: number): JobView {
  const { payload, result, progress, cancelling, dueAt, worker, fence, idempotency, onDone, ...rest } = record
  const error = record.state === 'done' ? undefined : lastFault(record)
  return {
    ...rest,
    eventId,
    cancelling: cancelling === true,
    payload: decoded(payload),
    ...(result === undefined ? {} : { result: decoded(result) }),
    ...(progress === undefined ? {} : { progress: decoded(progress) }),
    ...(error === undefined ? {} : { error }),
  }
}

function decoded(text: string): unknown {
  try {
    return decode(text)
  } catch {
    return text
  }
}
