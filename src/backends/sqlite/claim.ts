import type { Claim, Want } from '../../broker.ts'
import type { Job, JobFault } from '../../job/job.ts'
import type { Connection } from './connection.ts'
import { hasOutbox, spend } from './outbox.ts'
import type { JobList, Row } from './rows.ts'
import { COUNT, JOB_COLUMNS, jobFrom, STATE } from './rows.ts'
import type { Span } from './spans.ts'
import { extend, takeOut } from './spans.ts'
import type { Step } from './step.ts'

/** At most so many jobs are moved by time in one step. */
const TIME_BATCH = 500

/** So many spans are read at once: one span is often more than a claim wants. */
const SPANS_A_LOOK = 16

/** What the store needs to end a claim without looking the job up. */
export interface Receipt {
  readonly seq: number
  /** The number of the call that claimed it: nobody else's claim of any job has it. */
  readonly claim: number
  readonly fence: number
  readonly job: Job
}

/** Whether a claim could change anything: a look without a lock. In a paused queue it spends messages all the same. */
export function canClaim(db: Connection, queue: string): boolean {
  return (
    db.sql('select 1 from ready where queue = ? limit 1').get(queue) !== undefined &&
    (!isPaused(db, queue) || hasOutbox(db))
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
    `select jobs.seq from running join jobs on jobs.seq between first and last where until <= ?
     order by until, jobs.seq limit ${TIME_BATCH}`,
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

/**
 * Leases that end further off than they are long were given while the clock was ahead: from now on they end as if they were
 * given now. Who lives renews in time; what a killed worker held comes back in one lease, not when the clock gets there.
 */
export function shortenLeases(step: Step): void {
  const { changes } = step.db
    .sql('update running set until = ? + lease where until > ? + lease')
    .run(step.now, step.now)
  if (changes > 0) step.dueAt = Math.min(step.dueAt, nextDueAt(step.db) ?? step.dueAt)
}

function lapse(step: Step, row: Row): void {
  const message = `worker ${row.worker ?? '?'} did not renew its lease`
  step.apply(row, { type: 'lapse', fault: fault('LEASE_LOST', 'LeaseLost', message, row, step) })
}

function fault(code: string, name: string, message: string, row: Row, step: Step): JobFault {
  return { code, name, message, attempt: row.attempt, at: step.now }
}

/** Takes the most urgent jobs of a queue: what stands first in `ready` moves to `running`, span by span. */
export function claim(step: Step, queue: string, want: Want): Claim[] {
  const { taken, out } = isPaused(step.db, queue) ? nothing : takeReady(step, queue, want.limit)
  spend(step, queue, want.limit - out)
  if (taken.length === 0) return []
  const number = step.nextClaim()
  const leaseUntil = step.now + want.leaseMs
  const run = step.db.sql('insert into running values (?, ?, ?, ?, ?, ?, ?, 0, ?, ?, ?)')
  const claims: Claim[] = []
  for (const { first, last, attempt, fence } of taken) {
    run.run(
      first,
      last,
      queue,
      number,
      leaseUntil,
      want.leaseMs,
      want.worker,
      attempt + 1,
      fence + 1,
      step.now,
    )
    for (const [seq, job] of jobsIn(step, { first, last }))
      claims.push(claimed(step, { seq, claim: number, fence: fence + 1, job }, attempt + 1, leaseUntil))
  }
  step.count(queue, STATE.queued, -claims.length)
  step.count(queue, COUNT.bytes, -bytesOf(claims))
  step.count(queue, STATE.running, claims.length)
  step.dueAt = Math.min(step.dueAt, leaseUntil)
  return claims
}

function bytesOf(claims: readonly Claim[]): number {
  return claims.reduce((sum, { job }) => sum + Buffer.byteLength(job.payload), 0)
}

interface Ready extends Span {
  readonly attempt: number
  readonly fence: number
}

interface Taken {
  readonly taken: readonly Ready[]
  /** For how many of them a message was out. */
  readonly out: number
}

const nothing: Taken = { taken: [], out: 0 }

/** Takes at most `limit` jobs out of `ready`, in their order; spans that follow one another become one. */
function takeReady(step: Step, queue: string, limit: number): Taken {
  const taken: Ready[] = []
  let out = 0
  for (let left = limit; left > 0; ) {
    const spans = step.db
      .sql(
        'select first, last, attempt, fence, published from ready where queue = ? order by rank, first limit ?',
      )
      .all(queue, Math.min(left, SPANS_A_LOOK)) as unknown as (Ready & { published: number | null })[]
    for (const { published, ...span } of spans) {
      if (left === 0) break
      if (published !== null) out++
      const part = { ...span, last: Math.min(span.last, span.first + left - 1) }
      takeOut(step.db, 'ready', span, part)
      extend(taken, part, ({ attempt, fence }) => attempt === span.attempt && fence === span.fence)
      left -= part.last - part.first + 1
    }
    if (spans.length < SPANS_A_LOOK) break
  }
  return { taken, out }
}

function* jobsIn(step: Step, { first, last }: Span): Generator<readonly [seq: number, job: Job]> {
  let seq = first
  for (let job = step.accepted.get(seq); job !== undefined && seq <= last; job = step.accepted.get(seq))
    yield [seq++, job]
  if (seq > last) return
  const rows = step.db
    .list(`select ${JOB_COLUMNS} from jobs where seq between ? and ? order by seq`)
    .all(seq, last) as unknown as JobList[]
  for (const row of rows) yield [row[0], jobFrom(row)]
}

function claimed(step: Step, receipt: Receipt, attempt: number, leaseUntil: number): Claim {
  const { seq, fence, job } = receipt
  if (job.key !== undefined) step.lines.start(job.queue, job.key, seq, fence - 1)
  if (job.deadline !== undefined) step.dropDeadline(seq, job.deadline)
  step.tell('started', job, attempt)
  return { job, attempt, fence, leaseUntil, receipt }
}
