import type { Job } from '../../job/job.ts'
import type { OutboxWant } from '../../ledger.ts'
import type { JobRow } from './rows.ts'
import { JOB_COLUMNS, jobOf } from './rows.ts'
import type { Step } from './step.ts'

/** Marks what the broker has taken, then answers what can start now and is due to be published. */
export function outbox(step: Step, want: OutboxWant): Job[] {
  turnOn(step)
  if (want.published.length > 0) {
    step.db
      .sql(
        `update ready set publish = null, published = ?
         from (select queue, rank, seq from jobs where id in (select value from json_each(?))) as sent
         where ready.queue = sent.queue and ready.rank = sent.rank and ready.seq = sent.seq and publish is not null`,
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
    'select queue, rank, seq from ready where publish <= ? and publish is not null order by publish, seq limit ?'
  const rows = step.db
    .sql(`select ${JOB_COLUMNS} from jobs join (${due}) using (seq) order by jobs.rank, seq`)
    .all(step.now, want.limit) as unknown as JobRow[]
  step.db
    .sql(`update ready set publish = ? where (queue, rank, seq) in (${due})`)
    .run(step.now + want.againMs, step.now, want.limit)
  return rows.map(jobOf)
}

/** From the first call on, this file keeps track of what is to be published. */
function turnOn(step: Step): void {
  const { changes } = step.db.sql(`insert into settings values ('outbox', 1) on conflict do nothing`).run()
  if (changes > 0) step.db.sql('update ready set publish = ?').run(step.now)
}
