import type { Claim, Want } from '../../broker.ts'
import type { JobFault } from '../../job/job.ts'
import type { Connection } from './connection.ts'
import type { JobRow, Row } from './rows.ts'
import { JOB_COLUMNS, jobOf, STATE } from './rows.ts'
import type { Step } from './step.ts'

/** At most so many jobs are moved by time in one step. */
const TIME_BATCH = 500

/** What the store needs to end a claim without looking the job up. */
export interface Receipt {
  readonly seq: number
  readonly queue: string
  readonly task: string
  readonly key: string | undefined
  readonly attempt: number
}

/** Whether a claim could find anything: a look without a lock. */
export function canClaim(db: Connection, queue: string): boolean {
  return (
    db.sql('select 1 from jobs where queue = ? and state = 1 and blocked = 0 limit 1').get(queue) !==
      undefined && db.sql('select 1 from paused where queue = ?').get(queue) === undefined
  )
}

/** The next instant at which time alone moves a job; undefined when there is none. */
export function nextDueAt(db: Connection): number | undefined {
  const { due } = db.sql('select min(due) as due from jobs where state in (0, 2)').get() as {
    due: number | null
  }
  const { deadline } = db
    .sql('select min(deadline) as deadline from jobs where deadline is not null and state < 2')
    .get() as { deadline: number | null }
  const next = Math.min(due ?? Number.POSITIVE_INFINITY, deadline ?? Number.POSITIVE_INFINITY)
  return next === Number.POSITIVE_INFINITY ? undefined : next
}

/** Makes the moves that are due: scheduled jobs, lapsed leases, passed deadlines. True when there may be more. */
export function moveByTime(step: Step): boolean {
  const due = step.db
    .sql('select * from jobs where state in (0, 2) and due <= ? order by due, seq limit ?')
    .all(step.now, TIME_BATCH) as unknown as Row[]
  for (const row of due) {
    if (row.state === STATE.running) lapse(step, row)
    else if (row.deadline === null || row.deadline > step.now) step.apply(row, { type: 'due' })
  }
  const overdue = step.db
    .sql(
      'select * from jobs where deadline <= ? and deadline is not null and state < 2 order by deadline limit ?',
    )
    .all(step.now, TIME_BATCH) as unknown as Row[]
  for (const row of overdue) {
    const message = `not started before its deadline ${new Date(row.deadline ?? 0).toISOString()}`
    step.apply(row, {
      type: 'overdue',
      fault: fault('DEADLINE_PASSED', 'DeadlinePassed', message, row, step),
    })
  }
  return overdue.length === TIME_BATCH || due.length === TIME_BATCH
}

function lapse(step: Step, row: Row): void {
  const message = `worker ${row.worker ?? '?'} did not renew its lease`
  step.apply(row, { type: 'lapse', fault: fault('LEASE_LOST', 'LeaseLost', message, row, step) })
}

function fault(code: string, name: string, message: string, row: Row, step: Step): JobFault {
  return { code, name, message, attempt: row.attempt, at: step.now }
}

/** Takes the most urgent jobs of a queue. */
export function claim(step: Step, queue: string, want: Want): Claim[] {
  if (step.db.sql('select 1 from paused where queue = ?').get(queue) !== undefined) return []
  const leaseUntil = step.now + want.leaseMs
  const rows = step.db
    .sql(
      `update jobs set state = 2, attempt = attempt + 1, fence = fence + 1, due = ?, worker = ?, started = ?, publish = null
       where seq in (select seq from jobs where queue = ? and state = 1 and blocked = 0 order by rank, seq limit ?)
       returning seq, rank, attempt, fence, ${JOB_COLUMNS}`,
    )
    .all(leaseUntil, want.worker, step.now, queue, want.limit) as unknown as (JobRow &
    Pick<Row, 'seq' | 'attempt' | 'fence'> & { rank: number })[]
  if (rows.length === 0) return []
  rows.sort((a, b) => a.rank - b.rank || a.seq - b.seq)
  step.count(queue, STATE.queued, -rows.length)
  step.count(queue, STATE.running, rows.length)
  step.dueAt = Math.min(step.dueAt, leaseUntil)
  return rows.map((row) => {
    step.events.push(['started', row.id, row.queue, row.task, row.attempt])
    const job = jobOf(row)
    const receipt: Receipt = { seq: row.seq, queue, task: row.task, key: job.key, attempt: row.attempt }
    return { job, attempt: row.attempt, fence: row.fence, leaseUntil, receipt }
  })
}
