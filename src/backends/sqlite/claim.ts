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
  /** The number of the call that claimed it: nobody else's claim of any job has it. */
  readonly claim: number
  readonly fence: number
  readonly queue: string
  readonly task: string
  readonly key: string | undefined
  readonly attempt: number
}

/** Whether a claim could find anything: a look without a lock. */
export function canClaim(db: Connection, queue: string): boolean {
  return (
    db.sql('select 1 from ready where queue = ? limit 1').get(queue) !== undefined && !isPaused(db, queue)
  )
}

function isPaused(db: Connection, queue: string): boolean {
  return db.sql('select 1 from paused where queue = ?').get(queue) !== undefined
}

/** The next instant at which time alone moves a job; undefined when there is none. */
export function nextDueAt(db: Connection): number | undefined {
  const { due, until, deadline } = db
    .sql(
      `select (select min(due) from waiting where due is not null) as due, (select min(until) from running) as until,
       (select min(deadline) from deadlines) as deadline`,
    )
    .get() as { due: number | null; until: number | null; deadline: number | null }
  const never = Number.POSITIVE_INFINITY
  const next = Math.min(due ?? never, until ?? never, deadline ?? never)
  return next === never ? undefined : next
}

/** Makes the moves that are due: scheduled jobs, lapsed leases, passed deadlines. True when there may be more. */
export function moveByTime(step: Step): boolean {
  const due = step.records(
    `select seq from waiting where due <= ? and due is not null order by due, seq limit ${TIME_BATCH}`,
    step.now,
  )
  for (const row of due)
    if (row.deadline === null || row.deadline > step.now) step.apply(row, { type: 'due' })
  const lapsed = step.records(
    `select seq from running where until <= ? order by until, seq limit ${TIME_BATCH}`,
    step.now,
  )
  for (const row of lapsed) lapse(step, row)
  const overdue = step.records(
    `select seq from deadlines where deadline <= ? order by deadline, seq limit ${TIME_BATCH}`,
    step.now,
  )
  for (const row of overdue) {
    const message = `not started before its deadline ${new Date(row.deadline ?? 0).toISOString()}`
    step.apply(row, {
      type: 'overdue',
      fault: fault('DEADLINE_PASSED', 'DeadlinePassed', message, row, step),
    })
  }
  return [due, lapsed, overdue].some(({ length }) => length === TIME_BATCH)
}

function lapse(step: Step, row: Row): void {
  const message = `worker ${row.worker ?? '?'} did not renew its lease`
  step.apply(row, { type: 'lapse', fault: fault('LEASE_LOST', 'LeaseLost', message, row, step) })
}

function fault(code: string, name: string, message: string, row: Row, step: Step): JobFault {
  return { code, name, message, attempt: row.attempt, at: step.now }
}

/** Takes the most urgent jobs of a queue: what stands first in `ready` moves to `running` in one piece. */
export function claim(step: Step, queue: string, want: Want): Claim[] {
  if (isPaused(step.db, queue)) return []
  const rows = step.db
    .sql(
      `select ready.seq, ready.rank, ready.attempt, ready.fence, ${JOB_COLUMNS} from ready join jobs using (seq)
       where ready.queue = ? order by ready.rank, ready.seq limit ?`,
    )
    .all(queue, want.limit) as unknown as (JobRow & Pick<Row, 'seq' | 'rank' | 'attempt' | 'fence'>)[]
  const last = rows.at(-1)
  if (last === undefined) return []
  const leaseUntil = step.now + want.leaseMs
  const number = step.nextClaim()
  step.db
    .sql(
      `insert into running select seq, ?, ?, ?, 0, attempt + 1, fence + 1, ? from ready
       where queue = ? and (rank, seq) <= (?, ?)`,
    )
    .run(number, leaseUntil, want.worker, step.now, queue, last.rank, last.seq)
  step.db.sql('delete from ready where queue = ? and (rank, seq) <= (?, ?)').run(queue, last.rank, last.seq)
  step.count(queue, STATE.queued, -rows.length)
  step.count(queue, STATE.running, rows.length)
  step.dueAt = Math.min(step.dueAt, leaseUntil)
  return rows.map((row) => {
    const [attempt, fence] = [row.attempt + 1, row.fence + 1]
    if (row.key !== null) step.startInLine(queue, row.key, row.seq, row.fence)
    if (row.deadline !== null) step.dropDeadline(row.seq, row.deadline)
    step.events.push(['started', row.id, queue, row.task, attempt])
    const job = jobOf(row)
    const receipt: Receipt = {
      seq: row.seq,
      claim: number,
      fence,
      queue,
      task: row.task,
      key: job.key,
      attempt,
    }
    return { job, attempt, fence, leaseUntil, receipt }
  })
}
