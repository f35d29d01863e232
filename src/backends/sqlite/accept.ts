import type { Accepted, Room } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { rank } from '../../job/priority.ts'
import { STATE } from './rows.ts'
import type { Step } from './step.ts'

/** Takes each job that is neither remembered already nor too many. */
export function accept(step: Step, jobs: readonly Job[], room: Room | undefined): Accepted[] {
  const waiting = new Map<string, number>()
  return jobs.map((job) => {
    if (room !== undefined) {
      const count = waiting.get(job.queue) ?? waitingIn(step, job.queue)
      waiting.set(job.queue, count)
      if (count >= room(job.queue))
        return { id: job.id, status: isKnown(step, job.id) ? 'duplicate' : 'full' }
    }
    if (!insert(step, job)) return { id: job.id, status: 'duplicate' }
    waiting.set(job.queue, (waiting.get(job.queue) ?? 0) + 1)
    return { id: job.id, status: 'queued' }
  })
}

function insert(step: Step, job: Job): boolean {
  const scheduled = job.runAt !== undefined && job.runAt > step.now
  const state = scheduled ? STATE.scheduled : STATE.queued
  const blocked = !scheduled && job.key !== undefined && isLineTaken(step, job.queue, job.key)
  const open = !scheduled && !blocked
  const { changes } = step.db
    .sql(
      `insert into jobs (id, queue, task, state, rank, blocked, due, publish, key, priority, created, run_at, deadline, max_attempts, payload, trace)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict (id) do nothing`,
    )
    .run(
      job.id,
      job.queue,
      job.task,
      state,
      rank(step.now, job.priority),
      blocked ? 1 : 0,
      scheduled ? (job.runAt ?? null) : null,
      open ? step.publishAt : null,
      job.key ?? null,
      job.priority,
      job.createdAt,
      job.runAt ?? null,
      job.deadline ?? null,
      job.maxAttempts,
      job.payload,
      job.trace === undefined ? null : JSON.stringify(job.trace),
    )
  if (changes === 0) return false
  step.count(job.queue, state, 1)
  step.events.push(['accepted', job.id, job.queue, job.task, 0])
  if (open) step.startable.add(job.queue)
  if (scheduled) step.dueAt = Math.min(step.dueAt, job.runAt ?? step.dueAt)
  if (job.deadline !== undefined) step.dueAt = Math.min(step.dueAt, job.deadline)
  return true
}

function isLineTaken(step: Step, queue: string, key: string): boolean {
  return (
    step.db
      .sql(
        'select 1 from jobs where queue = ? and key = ? and key is not null and state < 3 and (state <> 0 or fence > 0) limit 1',
      )
      .get(queue, key) !== undefined
  )
}

function isKnown(step: Step, id: string): boolean {
  return step.db.sql('select 1 from jobs where id = ?').get(id) !== undefined
}

function waitingIn(step: Step, queue: string): number {
  const { n } = step.db
    .sql('select coalesce(sum(n), 0) as n from counts where queue = ? and state < 2')
    .get(queue) as { n: number }
  return n
}
