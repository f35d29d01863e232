import type { Accepted, Amount, Room } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { arrivalOf } from '../../job/past.ts'
import { rank } from '../../job/priority.ts'
import { limitMet } from '../room.ts'
import type { Remembered } from './remember.ts'
import { remember } from './remember.ts'
import { COUNT, STATE } from './rows.ts'
import type { Span } from './spans.ts'
import { extend } from './spans.ts'
import type { Step } from './step.ts'

/** Takes each job that is neither remembered already nor too many. */
export function accept(step: Step, jobs: readonly Job[], room: Room | undefined): Accepted[] {
  if (room === undefined || fits(step, jobs, room)) return insert(step, jobs)
  return jobs.flatMap((job) => {
    const limit = limitMet(step.waitingIn(job.queue), Buffer.byteLength(job.payload), room(job.queue))
    if (limit === undefined) return insert(step, [job])
    return known(step, job) ?? { id: job.id, status: 'full', limit }
  })
}

/** Whether there is room for all of them. */
function fits(step: Step, jobs: readonly Job[], room: Room): boolean {
  const coming = new Map<string, { readonly limit: Amount; jobs: number; bytes: number }>()
  for (const { queue, payload } of jobs) {
    const sum = coming.get(queue) ?? { limit: room(queue), jobs: 0, bytes: 0 }
    sum.jobs++
    if (sum.limit.bytes !== Number.POSITIVE_INFINITY) sum.bytes += Buffer.byteLength(payload)
    coming.set(queue, sum)
  }
  return [...coming].every(([queue, { limit, jobs: more, bytes }]) => {
    const waiting = step.waitingIn(queue)
    return waiting.jobs + more <= limit.jobs && waiting.bytes + bytes <= limit.bytes
  })
}

/** Remembers the jobs, then puts each where it waits. */
function insert(step: Step, jobs: readonly Job[]): Accepted[] {
  const remembered = remember(step, jobs)
  const ready: Ready[] = []
  const accepted = jobs.map((job, index): Accepted => {
    const { seq, isNew } = remembered[index] as Remembered
    if (!isNew) return known(step, job, seq) ?? { id: job.id, status: 'duplicate' }
    if (job.past !== undefined) {
      // Who has begun goes before a fresh one of its key, which must stand in the file to be held back.
      putDown(step, ready)
      const { record, rank } = arrivalOf(job, step.now)
      step.settleIn(seq, record, rank)
    } else {
      step.accepted.set(seq, job)
      place(step, job, seq, ready)
    }
    return { id: job.id, status: 'queued' }
  })
  putDown(step, ready)
  return accepted
}

/** Writes the spans so far. */
function putDown(step: Step, ready: Ready[]): void {
  for (const { first, last, queue, rank } of ready.splice(0))
    step.db
      .sql('insert into ready values (?, ?, ?, ?, 0, 0, null, ?, null)')
      .run(first, last, queue, rank, step.publishAt)
}

interface Ready extends Span {
  readonly queue: string
  readonly rank: number
}

function place(step: Step, job: Job, seq: number, ready: Ready[]): void {
  const { queue, key } = job
  const scheduled = job.runAt !== undefined && job.runAt > step.now
  const blocked = !scheduled && key !== undefined && step.lines.isTaken(queue, key)
  if (scheduled || blocked) {
    step.db
      .sql('insert into waiting (seq, state, due, attempt, fence) values (?, ?, ?, 0, 0)')
      .run(seq, scheduled ? STATE.scheduled : STATE.queued, scheduled ? (job.runAt ?? null) : null)
  } else {
    const one = { first: seq, last: seq, queue, rank: rank(step.now, job.priority) }
    extend(ready, one, (before) => step.spans && before.queue === queue && before.rank === one.rank)
    step.startable.add(queue)
  }
  if (!scheduled && key !== undefined) step.lines.join(queue, key, seq, 0, !blocked)
  if (scheduled) step.dueAt = Math.min(step.dueAt, job.runAt ?? step.dueAt)
  if (job.deadline !== undefined) step.addDeadline(seq, job.deadline)
  step.count(queue, scheduled ? STATE.scheduled : STATE.queued, 1)
  step.count(queue, COUNT.bytes, Buffer.byteLength(job.payload))
  step.tell('accepted', job, 0)
}

/** The answer to a job that is remembered already, by its idempotency key (under a lower number) or by its id. */
function known(
  step: Step,
  { id, idempotency, tenant }: Job,
  seq: number = Number.MAX_SAFE_INTEGER,
): Accepted | undefined {
  if (idempotency !== undefined) {
    const before = step.db
      .sql('select id, fingerprint from jobs where idempotency = ? and seq < ?')
      .get(idempotency.key, seq) as { id: string; fingerprint: string } | undefined
    if (before !== undefined)
      return {
        id: before.id,
        status: before.fingerprint === idempotency.fingerprint ? 'duplicate' : 'mismatch',
      }
  }
  const named = step.db.sql('select tenant from jobs where id = ?').get(id) as
    | { tenant: string | null }
    | undefined
  return named && { id, status: named.tenant === (tenant ?? null) ? 'duplicate' : 'taken' }
}
