import type { Retention } from '../../backend.ts'
import { STATE } from './rows.ts'
import type { Span } from './spans.ts'
import { takeOut } from './spans.ts'
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
  const spans = step.db
    .sql('select first, last, queue, at from ended where state = ? order by at, first limit ?')
    .all(state, n === 0 ? 0 : BATCH) as unknown as Ended[]
  let forgotten = 0
  for (const span of spans) {
    const most = span.at <= step.now - maxAgeMs ? BATCH : Math.min(BATCH, n - maxCount)
    if (forgotten >= most) break
    const last = Math.min(span.last, span.first + most - forgotten - 1)
    takeOut(step.db, 'ended', span, { first: span.first, last })
    forgetJobs(step, { first: span.first, last })
    step.count(span.queue, state, span.first - last - 1)
    forgotten += last - span.first + 1
  }
  return forgotten
}

interface Ended extends Span {
  readonly queue: string
  readonly at: number
}

/** Removes jobs and all that is known of them. */
export function forgetJobs(step: Step, { first, last }: Span): void {
  for (const table of ['notes', 'jobs'])
    step.db.sql(`delete from ${table} where seq between ? and ?`).run(first, last)
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
