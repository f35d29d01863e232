import type { Job, JobRecord, JobState, Past } from './job.ts'
import { MAX_FAULTS, MAX_LOG_LINES } from './job.ts'
import { rank } from './priority.ts'

/** A job as a store takes it in. */
export interface Arrival {
  readonly record: JobRecord
  /** Its place in line among those that wait. */
  readonly rank: number
}

/** The job as it comes in: fresh, or as the store it was moved from had it. Its past is part of the record then, and of nothing else. */
export function arrivalOf(arriving: Job, now: number): Arrival {
  const { past, ...job } = arriving
  if (past !== undefined) return { record: { ...job, ...lived(past) }, rank: rankOf(job, past, now) }
  const { runAt } = job
  const state =
    runAt !== undefined && runAt > now
      ? { state: 'scheduled' as const, dueAt: runAt }
      : { state: 'queued' as const }
  const record: JobRecord = { ...job, ...state, attempt: 0, fence: 0, faults: [], log: [] }
  return { record, rank: rank(now, job.priority) }
}

function lived({ acceptedAt: _, faults, log = [], ...past }: Past): Omit<JobRecord, keyof Job> {
  return { ...past, faults: faults.slice(-MAX_FAULTS), log: log.slice(-MAX_LOG_LINES) }
}

/** As the state machine has it: a retry that waits for its time stands where it will be due, everybody else where they were accepted. */
function rankOf({ priority }: Job, { state, fence, dueAt, acceptedAt }: Past, now: number): number {
  const isRetry = state === 'scheduled' && fence > 0 && dueAt !== undefined
  return rank(isRetry ? dueAt : Math.min(acceptedAt, now), priority)
}

/** Whether a job of this state can go to another store: nobody works on it, and it is not over. */
export function canBeMoved(state: JobState): state is Past['state'] {
  return state === 'queued' || state === 'scheduled' || state === 'dead'
}

/** What another store must know of a job that waits or is dead; undefined for one that runs, or has ended otherwise. */
export function pastOf(record: JobRecord): Past | undefined {
  const { state, attempt, fence, dueAt, startedAt, endedAt, faults, progress, log } = record
  if (!canBeMoved(state)) return undefined
  return {
    state,
    attempt,
    fence,
    // As near as is known. It comes from the clock of a producer, and stores want a whole number.
    acceptedAt: Math.max(0, Math.trunc(record.createdAt)),
    faults,
    ...(dueAt === undefined ? {} : { dueAt }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(progress === undefined ? {} : { progress }),
    ...(log.length === 0 ? {} : { log }),
  }
}

/** The job itself, without what is known of it. */
export function jobOf(record: JobRecord): Job {
  const {
    state,
    attempt,
    fence,
    dueAt,
    worker,
    startedAt,
    endedAt,
    cancelling,
    result,
    faults,
    progress,
    log,
    ...job
  } = record
  return job
}
