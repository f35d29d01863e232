import type { SQLInputValue } from 'node:sqlite'
import type { Accepted, Room } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { rank } from '../../job/priority.ts'
import { isConflict } from './connection.ts'
import { STATE } from './rows.ts'
import type { Step } from './step.ts'

const COLUMNS = [
  'seq',
  'id',
  'queue',
  'task',
  'key',
  'priority',
  'created',
  'run_at',
  'deadline',
  'max_attempts',
  'rank',
  'payload',
  'trace',
]

/** Takes each job that is neither remembered already nor too many. */
export function accept(step: Step, jobs: readonly Job[], room: Room | undefined): Accepted[] {
  if (room === undefined || fits(step, jobs, room)) return insert(step, jobs)
  return jobs.flatMap((job) => {
    if (step.waitingIn(job.queue) < room(job.queue)) return insert(step, [job])
    return { id: job.id, status: isKnown(step, job.id) ? 'duplicate' : 'full' }
  })
}

function fits(step: Step, jobs: readonly Job[], room: Room): boolean {
  const coming = new Map<string, number>()
  for (const { queue } of jobs) coming.set(queue, (coming.get(queue) ?? 0) + 1)
  return [...coming].every(([queue, n]) => step.waitingIn(queue) + n <= room(queue))
}

/** Remembers the jobs, then puts each where it waits. */
function insert(step: Step, jobs: readonly Job[]): Accepted[] {
  const seqs = remember(step, jobs)
  const ready: SQLInputValue[] = []
  const accepted = jobs.map((job, index): Accepted => {
    const seq = seqs[index]
    if (seq === undefined) return { id: job.id, status: 'duplicate' }
    place(step, job, seq, ready)
    return { id: job.id, status: 'queued' }
  })
  step.db.insert('ready', READY, ready)
  return accepted
}

const READY = ['queue', 'rank', 'seq', 'attempt', 'fence', 'publish']

function place(step: Step, job: Job, seq: number, ready: SQLInputValue[]): void {
  const scheduled = job.runAt !== undefined && job.runAt > step.now
  const blocked = !scheduled && job.key !== undefined && step.isLineTaken(job.queue, job.key)
  if (scheduled || blocked) {
    step.db
      .sql('insert into waiting (seq, state, due, attempt, fence) values (?, ?, ?, 0, 0)')
      .run(seq, scheduled ? STATE.scheduled : STATE.queued, scheduled ? (job.runAt ?? null) : null)
  } else {
    ready.push(job.queue, rank(step.now, job.priority), seq, 0, 0, step.publishAt)
    step.startable.add(job.queue)
  }
  if (!scheduled && job.key !== undefined) step.joinLine(job.queue, job.key, seq, 0, !blocked)
  if (scheduled) step.dueAt = Math.min(step.dueAt, job.runAt ?? step.dueAt)
  if (job.deadline !== undefined) step.addDeadline(seq, job.deadline)
  step.count(job.queue, scheduled ? STATE.scheduled : STATE.queued, 1)
  step.events.push(['accepted', job.id, job.queue, job.task, 0])
}

/** The number of each job in the order of acceptance; undefined where its id is remembered already. */
function remember(step: Step, jobs: readonly Job[]): (number | undefined)[] {
  const { seq: last } = (step.db.sql(`select seq from sqlite_sequence where name = 'jobs'`).get() ?? {
    seq: 0,
  }) as { seq: number }
  const bulk = step.db.attempt(
    () =>
      step.db.insert(
        'jobs',
        COLUMNS,
        jobs.flatMap((job, index) => valuesOf(step, job, last + 1 + index)),
      ),
    isConflict,
  )
  if (bulk) return jobs.map((_, index) => last + 1 + index)
  const one = step.db.sql(
    `insert into jobs (${COLUMNS}) values (${COLUMNS.map(() => '?')}) on conflict (id) do nothing`,
  )
  return jobs.map((job, index) =>
    one.run(...valuesOf(step, job, last + 1 + index)).changes === 0 ? undefined : last + 1 + index,
  )
}

function valuesOf(step: Step, job: Job, seq: number): SQLInputValue[] {
  return [
    seq,
    job.id,
    job.queue,
    job.task,
    job.key ?? null,
    job.priority,
    job.createdAt,
    job.runAt ?? null,
    job.deadline ?? null,
    job.maxAttempts,
    rank(step.now, job.priority),
    job.payload,
    job.trace === undefined ? null : JSON.stringify(job.trace),
  ]
}

function isKnown(step: Step, id: string): boolean {
  return step.db.sql('select 1 from jobs where id = ?').get(id) !== undefined
}
