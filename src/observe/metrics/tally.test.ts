import { expect, test } from 'vitest'
import type { Claim } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { Histogram } from './histogram.ts'
import { Tally } from './tally.ts'

const jobOf = (task: string): Job => ({ id: 'a', task, queue: 'q' }) as Job

test('a value falls in the first bucket whose bound it does not pass', () => {
  const histogram = new Histogram([1, 2])
  for (const value of [0, 1, 1.5, 2, 3]) histogram.add(value)
  expect(histogram.read()).toEqual({ upTo: [2, 4], count: 5, sum: 7.5 })
})

test('names past the limit are counted together, whoever makes them up', () => {
  const tally = new Tally(2)
  for (const task of ['a', 'b', 'c', 'd', 'a'])
    tally.answered({ jobs: [jobOf(task)], accepted: [{ id: 'a', status: 'queued' }], ms: 1 })
  expect(tally.tasks.map(({ labels, answers }) => [labels.queue, labels.task, answers.queued])).toEqual([
    ['q', 'a', 2],
    ['q', 'b', 1],
    ['other', 'other', 2],
  ])
})

test('jobs of a call that was not answered are counted as failed', () => {
  const tally = new Tally(2)
  tally.answered({ jobs: [jobOf('a'), jobOf('a')], error: new Error('away'), ms: 1 })
  expect(tally.tasks[0]?.answers).toMatchObject({ failed: 2, queued: 0 })
})

test('an attempt whose wait is not known is counted in its run alone', () => {
  const tally = new Tally(2)
  const claim = { job: jobOf('a'), attempt: 2 } as Claim
  tally.ended({ claim, outcome: 'done', waitMs: null, runMs: 20, settleMs: 1 })
  expect(tally.tasks[0]?.wait.read().count).toBe(0)
  expect(tally.tasks[0]?.run.read()).toMatchObject({ count: 1, sum: 0.02 })
})

test('routes past the limit are counted together', () => {
  const tally = new Tally(2)
  for (let n = 0; n < 600; n++) tally.requested({ method: 'GET', route: `/${n}`, status: 200, ms: 1 })
  const routes = [...tally.routes]
  expect(routes).toHaveLength(501)
  expect(routes.at(-1)).toMatchObject({ method: 'other', route: 'other' })
  expect(routes.at(-1)?.times.read().count).toBe(100)
})
