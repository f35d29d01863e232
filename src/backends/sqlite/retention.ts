import type { Retention } from '../../backend.ts'
import { STATE } from './rows.ts'
import type { Step } from './step.ts'

const BATCH = 500
/** Gives free pages back to the file system, a few at a time. */
const SHRINK = 'pragma incremental_vacuum(256)'

/** Forgets what is past its time or over its count, a small batch at a time. True when there is more to do. */
export function forgetOld(step: Step, retention: Retention): boolean {
  const { endedMs, endedCount, deadMs, deadCount } = retention
  const forgotten =
    forget(step, STATE.done, endedMs, endedCount) +
    forget(step, STATE.cancelled, endedMs, endedCount) +
    forget(step, STATE.dead, deadMs, deadCount)
  forgetEvents(step, retention)
  step.db.sql(SHRINK).all()
  return forgotten >= BATCH
}

function forget(step: Step, state: number, maxAgeMs: number, maxCount: number): number {
  const { n } = step.db.sql('select coalesce(sum(n), 0) as n from counts where state = ?').get(state) as {
    n: number
  }
  if (n === 0) return 0
  const tooMany = Math.min(Math.max(0, n - maxCount), BATCH)
  const rows = [
    ...oldest(step, 'state = ? order by at, seq limit ?', state, tooMany),
    ...oldest(step, 'state = ? and at <= ? order by at, seq limit ?', state, step.now - maxAgeMs, BATCH),
  ]
  const bySeq = new Map(rows.slice(0, BATCH).map(({ seq, queue }) => [seq, queue]))
  forgetJobs(step, [...bySeq.keys()])
  for (const queue of bySeq.values()) step.count(queue, state, -1)
  return bySeq.size
}

function oldest(step: Step, which: string, ...values: number[]): { seq: number; queue: string }[] {
  return step.db.sql(`select seq, queue from ended where ${which}`).all(...values) as {
    seq: number
    queue: string
  }[]
}

/** Removes ended jobs and all that is known of them. */
export function forgetJobs(step: Step, seqs: readonly number[]): void {
  const list = JSON.stringify(seqs)
  for (const table of ['ended', 'notes', 'jobs'])
    step.db.sql(`delete from ${table} where seq in (select value from json_each(?))`).run(list)
}

/** The newest row of events always stays: the numbering goes on from it. */
function forgetEvents(step: Step, { eventsMs, eventsCount }: Retention): void {
  step.db
    .sql(
      `delete from events where first < (select max(first) from events)
       and (at <= ? or last <= (select max(last) from events) - ?)`,
    )
    .run(step.now - eventsMs, eventsCount)
}
