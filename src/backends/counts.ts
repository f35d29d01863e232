import type { Depth, Totals } from '../broker.ts'
import type { JobState } from '../job/job.ts'
import { jobStates } from '../job/job.ts'

const besideStates = ['bytes', 'failed', 'forgotten', 'wasDone', 'wasDead', 'wasCancelled'] as const

export type Counted = JobState | (typeof besideStates)[number]

/**
 * What a database counts of each queue: jobs by state, the `bytes` that wait, attempts that `failed` and are followed by another,
 * jobs that are `forgotten`, and those that ended one way and no longer stand so: forgotten, or revived. Totals are made of these,
 * so that they cost nothing where jobs come, run and are done. Stores may keep the position: only ever add at the end.
 */
export const counted: readonly Counted[] = [...jobStates, ...besideStates]

/** How many of it are in a queue, or were. */
export type CountOf = (what: Counted) => number

/** What is counted as well where a job leaves a state in which it had ended. */
export const wasOf: Readonly<Partial<Record<Counted, Counted>>> = {
  done: 'wasDone',
  dead: 'wasDead',
  cancelled: 'wasCancelled',
}

export function depthFrom(
  queue: string,
  of: CountOf,
  { oldestAgeMs, paused }: Pick<Depth, 'oldestAgeMs' | 'paused'>,
): Depth {
  return {
    queue,
    ready: of('queued'),
    running: of('running'),
    scheduled: of('scheduled'),
    dead: of('dead'),
    waitingBytes: Math.max(0, of('bytes')),
    oldestAgeMs,
    paused,
    exact: true,
    totals: totalsFrom(of),
  }
}

function totalsFrom(of: CountOf): Totals {
  const remembered = jobStates.reduce((sum, state: JobState) => sum + of(state), 0)
  return {
    accepted: remembered + of('forgotten'),
    done: of('done') + of('wasDone'),
    failed: of('failed'),
    dead: of('dead') + of('wasDead'),
    cancelled: of('cancelled') + of('wasCancelled'),
  }
}
