import type { Job } from '../../job/job.ts'
import type { OutboxWant } from '../../ledger.ts'
import type { JobList } from './rows.ts'
import { JOB_COLUMNS, jobFrom } from './rows.ts'
import type { Span } from './spans.ts'
import type { Step } from './step.ts'

/** Marks what the broker has taken, then answers what can start now and is due to be published. */
export function outbox(step: Step, want: OutboxWant): Job[] {
  turnOn(step)
  if (want.published.length > 0) {
    step.db
      .sql(
        `update ready set publish = null, published = ?
         where first in (select seq from jobs where id in (select value from json_each(?))) and publish is not null`,
      )
      .run(step.now, JSON.stringify(want.published))
  }
  if (want.lost !== undefined) {
    step.db
      .sql(
        'update ready set publish = ?, published = null where queue = ? and publish is null and published < ?',
      )
      .run(step.now, want.lost.queue, want.lost.markedBefore)
  }
  if (want.limit < 1) return []
  const due =
    'select first from ready where publish <= ? and publish is not null order by publish, first limit ?'
  const rows = step.db
    .list(`select ${JOB_COLUMNS} from jobs where seq in (${due}) order by rank, seq`)
    .all(step.now, want.limit) as unknown as JobList[]
  step.db
    .sql(`update ready set publish = ? where first in (${due})`)
    .run(step.now + want.againMs, step.now, want.limit)
  return rows.map(jobFrom)
}

/** From the first call on, this file keeps track of what is to be published, of each job apart. */
function turnOn(step: Step): void {
  const { changes } = step.db.sql(`insert into settings values ('outbox', 1) on conflict do nothing`).run()
  if (changes === 0) return
  step.publishes()
  const columns = 'queue, rank, attempt, fence, started'
  const spans = step.db.sql(`select first, last, ${columns} from ready`).all() as unknown as (Span & Shared)[]
  step.db.sql('delete from ready').run()
  const insert = step.db.sql(
    `insert into ready (first, last, ${columns}, publish) values (?, ?, ?, ?, ?, ?, ?, ?)`,
  )
  for (const { first, last, queue, rank, attempt, fence, started } of spans)
    for (let seq = first; seq <= last; seq++)
      insert.run(seq, seq, queue, rank, attempt, fence, started, step.now)
}

interface Shared {
  readonly queue: string
  readonly rank: number
  readonly attempt: number
  readonly fence: number
  readonly started: number | null
}
