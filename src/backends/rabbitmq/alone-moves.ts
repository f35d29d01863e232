import type { Job, JobFault } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { Headers } from './envelope.ts'
import { deathOf } from './message.ts'

/** What becomes of a job that no ledger remembers: a message put into its queue, later or at once, or among the dead letters. */
export type Next =
  | { readonly to: 'queue'; readonly attempts: number; readonly runAt?: number }
  | { readonly to: 'dead'; readonly attempts: number; readonly headers: Headers }

/** A clock may be that much behind the one that said when. */
const EARLY_MS = 20

/** What follows the end of an attempt; undefined where nothing does. */
export function afterEnding(job: Job, attempt: number, ending: Ending): Next | undefined {
  switch (ending.type) {
    case 'done':
    case 'cancelled':
      return undefined
    case 'release':
      return { to: 'queue', attempts: attempt - 1 }
    case 'snooze':
      return { to: 'queue', attempts: attempt - 1, runAt: ending.runAt }
    case 'retry':
      if (attempt >= job.maxAttempts) return dead(ending.fault)
      return { to: 'queue', attempts: attempt, runAt: ending.runAt }
    case 'dead':
      return dead(ending.fault)
  }
}

/** What is done with a job that arrives: undefined where it runs now. @param attempts begun before */
export function onArrival(job: Job, attempts: number, now: number): Next | undefined {
  if (job.deadline !== undefined && now > job.deadline)
    return dead(fault('DEADLINE_PASSED', 'the job was not started before its deadline', attempts, now))
  if (attempts >= job.maxAttempts)
    return dead(
      fault(
        'LEASE_LOST',
        `the job was delivered ${attempts} times and not settled: its workers were killed, or lost their connection`,
        attempts,
        now,
      ),
    )
  if (job.runAt !== undefined && job.runAt - now > EARLY_MS)
    return { to: 'queue', attempts, runAt: job.runAt }
  return undefined
}

function dead(last: JobFault): Next {
  return { to: 'dead', attempts: last.attempt, headers: deathOf(last) }
}

function fault(code: string, message: string, attempt: number, at: number): JobFault {
  return { code, name: 'OffloadError', message, attempt, at }
}
