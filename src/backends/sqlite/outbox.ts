import type { Job } from '../../job/job.ts'
import type { LostMessages, OutboxWant } from '../../ledger.ts'
import type { Connection } from './connection.ts'
import type { JobList } from './rows.ts'
import { JOB_COLUMNS, jobFrom } from './rows.ts'
import type { Span } from './spans.ts'
import type { Step } from './step.ts'

/**
 * A job that can start is owed a message from `publish` on, and one may be out for it since `published`. Both are set for one
 * that was answered and is not confirmed yet; neither, for one in a paused queue.
 */
export function outbox(step: Step, want: OutboxWant): Job[] {
  turnOn(step)
  if (want.published.length > 0) {
    step.db
      .sql(
        `update ready set publish = null
         where first in (select seq from jobs where id in (select value from json_each(?))) and published is not null`,
      )
      .run(JSON.stringify(want.published))
  }
  if (want.lost !== undefined) oweLost(step, want.lost)
  if (want.limit < 1) return []
  const due =
    'select first, queue from ready where publish <= ? and publish is not null order by publish, first limit ?'
  const hold = step.db.sql(
    `update ready set publish = null, published = null
     where first in (select first from (${due}) where queue in (select queue from paused))`,
  )
  while (Number(hold.run(step.now, want.limit).changes) > 0);
  const firsts = `select first from (${due})`
  const rows = step.db
    .list(`select ${JOB_COLUMNS} from jobs where seq in (${firsts}) order by rank, seq`)
    .all(step.now, want.limit) as unknown as JobList[]
  step.db
    .sql(`update ready set publish = ?, published = ? where first in (${firsts})`)
    .run(step.now + want.againMs, step.now, step.now, want.limit)
  return rows.map(jobFrom)
}

/** Messages were spent, and did not bring the jobs that they were out for: of those that are out, so many are owed one again. */
export function spend(step: Step, queue: string, messages: number): void {
  if (step.publishAt === null || messages < 1) return
  step.db
    .sql(
      `update ready set publish = ?, published = null where first in
       (select first from ready where queue = ? and published is not null order by published, first limit ?)`,
    )
    .run(step.publishAt, queue, messages)
}

function oweLost(step: Step, { queue, messages, before }: LostMessages): void {
  const { n } = step.db
    .sql('select count(*) as n from ready where queue = ? and published is not null')
    .get(queue) as { n: number }
  const missing = messages === null ? 1 : n - messages
  if (missing < 1) return
  step.db
    .sql(
      `update ready set publish = ?, published = null where first in
       (select first from ready where queue = ? and published is not null and (published < ? or published > ?)
        order by published, first limit ?)`,
    )
    .run(step.publishAt, queue, before, step.now, missing)
}

/** Whether a message broker is joined. */
export function hasOutbox(db: Connection): boolean {
  return db.sql(`select 1 from settings where name = 'outbox'`).get() !== undefined
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
      insert.run(seq, seq, queue, rank, attempt, fence, started, step.publishAt)
}

interface Shared {
  readonly queue: string
  readonly rank: number
  readonly attempt: number
  readonly fence: number
  readonly started: number | null
}
