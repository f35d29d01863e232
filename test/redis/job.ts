import type { Job } from '../../src/job/job.ts'

/** A job of the queue `q`, as a store is given it. */
export const jobOf = (id: string, more: Partial<Job> = {}): Job => ({
  id,
  task: 't',
  queue: 'q',
  payload: '1',
  priority: 4,
  createdAt: Date.now(),
  maxAttempts: 3,
  ...more,
})
