import type { Job, JobFault, JobRecord, JobState, LogLine } from '../../job/job.ts'

/** States as numbers, so that indexes are small: the position is what stands in the file. */
const order: readonly JobState[] = ['scheduled', 'queued', 'running', 'done', 'dead', 'cancelled']

export const STATE: Readonly<Record<JobState, number>> = {
  scheduled: 0,
  queued: 1,
  running: 2,
  done: 3,
  dead: 4,
  cancelled: 5,
}

/** A row of `records`, as node:sqlite gives it. */
export interface Row {
  seq: number
  id: string
  queue: string
  task: string
  rank: number
  state: number
  /** Queued, and behind an earlier one of its key. */
  blocked: number | null
  due: number | null
  claim: number | null
  key: string | null
  priority: number
  created: number
  run_at: number | null
  deadline: number | null
  attempt: number
  max_attempts: number
  fence: number
  worker: string | null
  started: number | null
  ended: number | null
  cancelling: number | null
  payload: string
  trace: string | null
  result: string | null
  faults: string | null
  progress: string | null
  log: string | null
}

export type JobRow = Pick<
  Row,
  | 'seq'
  | 'id'
  | 'queue'
  | 'task'
  | 'payload'
  | 'priority'
  | 'created'
  | 'max_attempts'
  | 'key'
  | 'run_at'
  | 'deadline'
  | 'trace'
>

export const JOB_COLUMNS =
  'seq, id, jobs.queue, task, payload, priority, created, max_attempts, key, run_at, deadline, trace'

export function jobOf(row: JobRow): Job {
  const job: { -readonly [K in keyof Job]: Job[K] } = {
    id: row.id,
    task: row.task,
    queue: row.queue,
    payload: row.payload,
    priority: row.priority,
    createdAt: row.created,
    maxAttempts: row.max_attempts,
  }
  if (row.key !== null) job.key = row.key
  if (row.run_at !== null) job.runAt = row.run_at
  if (row.deadline !== null) job.deadline = row.deadline
  if (row.trace !== null) job.trace = JSON.parse(row.trace) as Record<string, string>
  return job
}

export function recordOf(row: Row): JobRecord {
  const record: { -readonly [K in keyof JobRecord]: JobRecord[K] } = {
    ...jobOf(row),
    state: order[row.state] as JobState,
    attempt: row.attempt,
    fence: row.fence,
    faults: row.faults === null ? [] : (JSON.parse(row.faults) as JobFault[]),
    log: row.log === null ? [] : (JSON.parse(row.log) as LogLine[]),
  }
  if (row.due !== null) record.dueAt = row.due
  if (row.worker !== null) record.worker = row.worker
  if (row.started !== null) record.startedAt = row.started
  if (row.ended !== null) record.endedAt = row.ended
  if (row.cancelling === 1) record.cancelling = true
  if (row.result !== null) record.result = row.result
  if (row.progress !== null) record.progress = row.progress
  return record
}
