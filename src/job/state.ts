import type { JobFault, JobRecord, JobState } from './job.ts'
import { isEnded, MAX_FAULTS } from './job.ts'
import { rank } from './priority.ts'

/** How a worker ends a claim. */
export type Settlement = {
  readonly claim: {
    readonly job: { readonly id: string }
    readonly fence: number
    readonly receipt?: unknown
  }
} & Ending

export type Ending =
  | { readonly type: 'done'; readonly result?: string }
  | { readonly type: 'retry'; readonly runAt: number; readonly fault: JobFault }
  | { readonly type: 'snooze'; readonly runAt: number }
  | { readonly type: 'release' }
  | { readonly type: 'dead'; readonly fault: JobFault }
  | { readonly type: 'cancelled' }

/** Everything that can happen to a job. */
export type Move =
  | { readonly type: 'due' }
  | { readonly type: 'claim'; readonly leaseUntil: number; readonly worker: string }
  | { readonly type: 'renew'; readonly leaseUntil: number }
  | { readonly type: 'lapse'; readonly fault: JobFault }
  | { readonly type: 'overdue'; readonly fault: JobFault }
  | { readonly type: 'cancel' }
  | { readonly type: 'revive' }
  | Ending

/** The states from which each move is legal. Nothing leads out of done and cancelled. */
export const legalFrom: Readonly<Record<Move['type'], readonly JobState[]>> = {
  due: ['scheduled'],
  claim: ['queued'],
  renew: ['running'],
  lapse: ['running'],
  overdue: ['scheduled', 'queued'],
  cancel: ['scheduled', 'queued', 'running'],
  revive: ['dead'],
  done: ['running'],
  retry: ['running'],
  snooze: ['running'],
  release: ['running'],
  dead: ['running'],
  cancelled: ['running'],
}

/** The job after the move, or undefined when the move is not legal in its state. Decides every change of state there is. */
export function move(job: JobRecord, step: Move, now: number): JobRecord | undefined {
  if (!legalFrom[step.type].includes(job.state)) return undefined
  switch (step.type) {
    case 'due':
      return { ...still(job), state: 'queued' }
    case 'claim':
      if (job.attempt >= job.maxAttempts) return undefined
      return {
        ...still(job),
        state: 'running',
        attempt: job.attempt + 1,
        fence: job.fence + 1,
        dueAt: step.leaseUntil,
        worker: step.worker,
        startedAt: now,
      }
    case 'renew':
      return { ...job, dueAt: step.leaseUntil }
    case 'done':
      return { ...ended(job, 'done', now), ...(step.result === undefined ? {} : { result: step.result }) }
    case 'retry':
      if (job.cancelling === true) return ended(job, 'cancelled', now)
      if (job.attempt >= job.maxAttempts) return withFault(ended(job, 'dead', now), step.fault)
      return withFault({ ...still(job), state: 'scheduled', dueAt: step.runAt }, step.fault)
    case 'snooze':
      if (job.cancelling === true) return ended(job, 'cancelled', now)
      return { ...still(job), state: 'scheduled', dueAt: step.runAt, attempt: job.attempt - 1 }
    case 'release':
      if (job.cancelling === true) return ended(job, 'cancelled', now)
      return { ...still(job), state: 'queued', attempt: job.attempt - 1 }
    case 'lapse':
      if (job.cancelling === true) return ended(job, 'cancelled', now)
      if (job.attempt >= job.maxAttempts) return withFault(ended(job, 'dead', now), step.fault)
      return withFault({ ...still(job), state: 'queued' }, step.fault)
    case 'dead':
    case 'overdue':
      return withFault(ended(job, 'dead', now), step.fault)
    case 'cancelled':
      return ended(job, 'cancelled', now)
    case 'cancel':
      if (job.state === 'running') return { ...job, cancelling: true }
      return ended(job, 'cancelled', now)
    case 'revive': {
      const { endedAt: _, ...rest } = still(job)
      return { ...rest, state: 'queued', attempt: 0 }
    }
  }
}

/** The job without a lease, a due time or a holder. */
function still(job: JobRecord): JobRecord {
  const { dueAt: _, worker: __, cancelling: ___, ...rest } = job
  return rest
}

function ended(job: JobRecord, state: JobState, now: number): JobRecord {
  return { ...still(job), state, endedAt: now }
}

function withFault(job: JobRecord, fault: JobFault): JobRecord {
  return { ...job, faults: [...job.faults, fault].slice(-MAX_FAULTS) }
}

/**
 * The new place in line after a move, or undefined to keep the old one: who comes back later waits behind who was there
 * then, so that a job that fails or snoozes again and again cannot hold up the others.
 */
export function rankAfter(step: Move, after: JobRecord, now: number): number | undefined {
  if (step.type === 'revive') return rank(now, after.priority)
  return after.state === 'scheduled' && after.dueAt !== undefined
    ? rank(after.dueAt, after.priority)
    : undefined
}

/** Whether the move was the failure of an attempt that another follows. */
export function isFailure(before: JobRecord, after: JobRecord): boolean {
  return after.faults !== before.faults && !isEnded(after.state)
}

/** Whether the job takes its place in the line of its key: from when it first is due until it ends. */
export function isInLine(job: JobRecord): boolean {
  if (job.key === undefined || isEnded(job.state)) return false
  return job.state !== 'scheduled' || job.fence > 0
}
