import { describe, expect, test } from 'vitest'
import type { Job, JobRecord } from './job.ts'
import { MAX_FAULTS } from './job.ts'
import { arrivalOf, canBeMoved, jobOf, pastOf } from './past.ts'
import { rank } from './priority.ts'

const job: Job = {
  id: 'j',
  task: 't',
  queue: 'q',
  payload: '{}',
  priority: 7,
  key: 'k',
  createdAt: 100,
  maxAttempts: 3,
  tenant: 'ada',
}
const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 5 }
const fresh: JobRecord = { ...job, state: 'queued', attempt: 0, fence: 0, faults: [], log: [] }

describe('a job that comes without a past', () => {
  test('is queued, or scheduled until its time', () => {
    expect(arrivalOf(job, 500)).toEqual({ record: fresh, rank: rank(500, 7) })
    expect(arrivalOf({ ...job, runAt: 500 }, 500).record).toMatchObject({ state: 'queued' })
    expect(arrivalOf({ ...job, runAt: 501 }, 500).record).toMatchObject({ state: 'scheduled', dueAt: 501 })
  })
})

describe('a job that comes with a past', () => {
  test.each<Partial<JobRecord>>([
    { state: 'queued' },
    { state: 'queued', attempt: 2, fence: 3, startedAt: 150, faults: [fault], progress: '1' },
    { state: 'scheduled', attempt: 1, fence: 1, dueAt: 900, faults: [fault] },
    { state: 'dead', attempt: 3, fence: 3, endedAt: 300, faults: [fault], log: [{ at: 1, message: 'm' }] },
  ])('is what it was, and its past is no part of it: %o', (lived) => {
    const record = { ...fresh, ...lived }
    const past = pastOf(record)
    if (past === undefined) throw new Error('it can be moved')
    expect(arrivalOf({ ...jobOf(record), past }, 1000).record).toEqual(record)
    expect(jobOf(record)).toEqual(job)
  })

  test('stands where it was accepted, a retry where it will be due, and nobody before his time', () => {
    const at = (lived: Partial<JobRecord>, now = 1000): number => {
      const past = pastOf({ ...fresh, ...lived })
      return arrivalOf({ ...job, ...(past === undefined ? {} : { past }) }, now).rank
    }
    expect(at({})).toBe(rank(100, 7))
    expect(at({}, 50)).toBe(rank(50, 7))
    expect(at({ state: 'scheduled', dueAt: 900 })).toBe(rank(100, 7))
    expect(at({ state: 'scheduled', fence: 1, dueAt: 900 })).toBe(rank(900, 7))
  })

  test('brings the newest faults, as many as are kept', () => {
    const faults = Array.from({ length: MAX_FAULTS + 5 }, (_, at) => ({ ...fault, at }))
    const { record } = arrivalOf(
      { ...job, past: { state: 'queued', attempt: 1, fence: 1, acceptedAt: 1, faults } },
      5,
    )
    expect(record.faults).toEqual(faults.slice(-MAX_FAULTS))
  })
})

test('what runs, is done or cancelled is not moved', () => {
  for (const state of ['running', 'done', 'cancelled'] as const) {
    expect(canBeMoved(state)).toBe(false)
    expect(pastOf({ ...fresh, state })).toBeUndefined()
  }
})
