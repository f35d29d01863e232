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
    ...remove(
      step,
      'select seq from jobs where state = ? and state >= 3 order by ended, seq limit ?',
      state,
      tooMany,
    ),
    ...remove(
      step,
      'select seq from jobs where state = ? and state >= 3 and ended <= ? order by ended, seq limit ?',
      state,
      step.now - maxAgeMs,
      BATCH - tooMany,
    ),
  ]
  for (const { queue } of rows) step.count(queue, state, -1)
  return rows.length
}

function remove(step: Step, which: string, ...values: number[]): { queue: string }[] {
  return step.db.sql(`delete from jobs where seq in (${which}) returning queue`).all(...values) as {
    queue: string
  }[]
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
