import type { FollowUp, Job, JobFault, JobRecord, JobState, LogLine } from '../../job/job.ts'
import type { Counted } from '../counts.ts'
import { counted, wasOf } from '../counts.ts'

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

/** What is counted of a queue, as numbers: the position is what stands in the file. Those of the states come first. */
export const COUNT: Readonly<Record<Counted, number>> = Object.fromEntries(
  counted.map((what, position) => [what, position]),
) as Record<Counted, number>

/** By the number of an ended state: what is counted as well when jobs leave it. */
export const WAS: ReadonlyMap<number, number> = new Map(
  Object.entries(wasOf).map(([state, was]) => [COUNT[state as Counted], COUNT[was]]),
)

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
  /** Of a running one: how long it is, in ms. */
  lease: number | null
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
  tenant: string | null
  idempotency: string | null
  fingerprint: string | null
  on_done: string | null
  result: string | null
  faults: string | null
  progress: string | null
  log: string | null
}

/** What every job has, then what few have. */
const COLUMNS = [
  'id',
  'queue',
  'task',
  'payload',
  'priority',
  'created',
  'max_attempts',
  'key',
  'run_at',
  'deadline',
  'trace',
  'tenant',
  'idempotency',
  'fingerprint',
  'on_done',
] as const

export const JOB_COLUMNS: string = ['seq', ...COLUMNS].map((column) => `jobs.${column}`).join()

/** The values of `JOB_COLUMNS`. As a list they are read in half the time of an object. */
export type JobList = readonly [
  seq: number,
  id: string,
  queue: string,
  task: string,
  payload: string,
  priority: number,
  created: number,
  maxAttempts: number,
  key: string | null,
  runAt: number | null,
  deadline: number | null,
  trace: string | null,
  tenant: string | null,
  idempotency: string | null,
  fingerprint: string | null,
  onDone: string | null,
]

export function jobFrom(list: JobList): Job {
  const [, id, queue, task, payload, priority, createdAt, maxAttempts, key, runAt, deadline, trace] = list
  const tenant = list[12]
  const idempotency = list[13]
  const fingerprint = list[14]
  const onDone = list[15]
  const job: { -readonly [K in keyof Job]: Job[K] } = {
    id,
    task,
    queue,
    payload,
    priority,
    createdAt,
    maxAttempts,
  }
  if (key !== null) job.key = key
  if (runAt !== null) job.runAt = runAt
  if (deadline !== null) job.deadline = deadline
  if (trace !== null) job.trace = JSON.parse(trace) as Record<string, string>
  if (tenant !== null) job.tenant = tenant
  if (idempotency !== null) job.idempotency = { key: idempotency, fingerprint: fingerprint ?? '' }
  if (onDone !== null) job.onDone = JSON.parse(onDone) as FollowUp[]
  return job
}

export function jobOf(row: Row): Job {
  return jobFrom([row.seq, ...COLUMNS.map((column) => row[column])] as unknown as JobList)
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
