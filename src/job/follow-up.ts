import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { Job, JobRecord } from './job.ts'
import { isEnded, lastFault } from './job.ts'

/** A longer result is left out of what follow-ups are told: they can read it. */
const MAX_RESULT_CHARS = 16_384

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

/** The input schema of an `onDone` task: `task('notice', { input: endedJob, run: ({ id, state, result }) => … })`. */
export const endedJob: StandardSchemaV1<EndedJob, EndedJob> = {
  '~standard': {
    version: 1,
    vendor: 'offload',
    validate: (value) =>
      isEndedJob(value) ? { value } : { issues: [{ message: 'this is not how a job ended' }] },
  },
}

function isEndedJob(value: unknown): value is EndedJob {
  if (typeof value !== 'object' || value === null) return false
  const { id, task, queue, state } = value as Partial<EndedJob>
  const areNames = [id, task, queue].every((name) => typeof name === 'string')
  return areNames && state !== undefined && isEnded(state)
}

/**
 * The jobs that follow the end of this one. Their ids are made of it, so that the same end is followed once however often
 * it is told; a dead letter that is tried again and ends again is followed again.
 */
export function followUps(ended: JobRecord, now: number): Job[] {
  if (ended.onDone === undefined || !isEnded(ended.state)) return []
  return ended.onDone.map(({ id, task, queue, priority, maxAttempts, data }) => ({
    id: `${id}.${ended.fence}.${ended.state}`,
    task,
    queue,
    priority,
    maxAttempts,
    payload: payloadOf(ended, data),
    createdAt: now,
    ...(ended.trace === undefined ? {} : { trace: ended.trace }),
    ...(ended.tenant === undefined ? {} : { tenant: ended.tenant }),
  }))
}

/** Result and data are JSON text already: they are not read to be written again. */
function payloadOf(ended: JobRecord, data: string | undefined): string {
  const { id, task, queue, state, attempt, createdAt, endedAt, tenant, result } = ended
  const fault = state === 'dead' ? lastFault(ended) : undefined
  const isLong = result !== undefined && result.length > MAX_RESULT_CHARS
  const plain = JSON.stringify({
    id,
    task,
    queue,
    state,
    attempt,
    createdAt,
    endedAt,
    tenant,
    resultLength: isLong ? result.length : undefined,
    error: fault === undefined ? undefined : { code: fault.code, message: fault.message },
  })
  const rest = [
    ...(result === undefined || isLong ? [] : [`,"result":${result}`]),
    ...(data === undefined ? [] : [`,"data":${data}`]),
  ]
  return `${plain.slice(0, -1)}${rest.join('')}}`
}
