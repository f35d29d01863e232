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
        'update jobs set publish = null, published = ? where id in (select value from json_each(?)) and publish is not null',
      )
      .run(step.now, JSON.stringify(want.published))
  }
  if (want.lost !== undefined) {
    step.db
      .sql(
        'update jobs set publish = ?, published = null where queue = ? and state = 1 and blocked = 0 and publish is null and published < ?',
      )
      .run(step.now, want.lost.queue, want.lost.markedBefore)
  }
  if (want.limit < 1) return []
  const rows = step.db
    .sql(
      `update jobs set publish = ? where seq in (select seq from jobs where publish <= ? and publish is not null order by publish, seq limit ?) returning seq, rank, ${JOB_COLUMNS}`,
    )
    .all(step.now + want.againMs, step.now, want.limit) as unknown as (JobRow & {
    seq: number
    rank: number
  })[]
  return rows.sort((a, b) => a.rank - b.rank || a.seq - b.seq).map(jobOf)
}

/** From the first call on, this file keeps track of what is to be published. */
function turnOn(step: Step): void {
  const { changes } = step.db.sql(`insert into settings values ('outbox', 1) on conflict do nothing`).run()
  if (changes > 0) step.db.sql('update jobs set publish = ? where state = 1 and blocked = 0').run(step.now)
}
