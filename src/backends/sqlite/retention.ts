import type { Retention } from '../../backend.ts'
import { COUNT, STATE } from './rows.ts'
import type { Span } from './spans.ts'
import { takeOut } from './spans.ts'
import type { Step } from './step.ts'

/** At most so many jobs, and rows of events, are forgotten in one step. */
const BATCH = 1000
const SPANS_A_LOOK = 16

/** Forgets what is past its time or over its count, a small batch at a time. True when there is more to do. */
export function forgetOld(step: Step, retention: Retention): boolean {
  const { endedMs, endedCount, deadMs, deadCount } = retention
  const forgotten =
    forget(step, STATE.done, endedMs, endedCount) +
    forget(step, STATE.cancelled, endedMs, endedCount) +
    forget(step, STATE.dead, deadMs, deadCount)
  const more = forgetEvents(step, retention)
  shrink(step)
  return more || forgotten >= BATCH
}

/** Gives free pages back to the file system, a few at a time, while they are many: a few are soon needed again. */
function shrink({ db }: Step): void {
  const count = (of: 'page_count' | 'freelist_count'): number =>
    Number(Object.values(db.sql(`pragma ${of}`).get() ?? {})[0] ?? 0)
  if (count('freelist_count') * 4 > count('page_count')) db.sql('pragma incremental_vacuum(256)').all()
}

function forget(step: Step, state: number, maxAgeMs: number, maxCount: number): number {
  const { n } = step.db.sql('select coalesce(sum(n), 0) as n from counts where state = ?').get(state) as {
    n: number
  }
  const mostOf = ({ at }: Ended): number =>
    at <= step.now - maxAgeMs ? BATCH : Math.min(BATCH, n - maxCount)
  let forgotten = 0
  while (n > 0) {
    const spans = step.db
      .sql('select first, last, queue, at from ended where state = ? order by at, first limit ?')
      .all(state, SPANS_A_LOOK) as unknown as Ended[]
    for (const span of spans) {
      const left = mostOf(span) - forgotten
      if (left <= 0) return forgotten
      const part = { first: span.first, last: Math.min(span.last, span.first + left - 1) }
      takeOut(step.db, 'ended', span, part)
      forgetJobs(step, part)
      const count = part.last - part.first + 1
      step.count(span.queue, state, -count)
      step.count(span.queue, COUNT.forgotten, count)
      forgotten += count
    }
    if (spans.length < SPANS_A_LOOK) break
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

/** Looks at the oldest rows alone. The newest row always stays: the numbering goes on from it. True when there may be more to do. */
function forgetEvents(step: Step, { eventsMs, eventsCount }: Retention): boolean {
  const newest = step.db.sql('select first, last from events order by first desc limit 1').get() as
    | Span
    | undefined
  if (newest === undefined) return false
  const oldest = step.db
    .sql('select first, last, at from events where first < ? order by first limit ?')
    .all(newest.first, BATCH) as unknown as (Span & { readonly at: number })[]
  const kept = oldest.findIndex(
    ({ last, at }) => at > step.now - eventsMs && last > newest.last - eventsCount,
  )
  const forgotten = kept === -1 ? oldest : oldest.slice(0, kept)
  step.db.sql('delete from events where first <= ?').run(forgotten.at(-1)?.first ?? 0)
  return forgotten.length === BATCH
}
