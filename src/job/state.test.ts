import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { JobFault, JobRecord, JobState } from './job.ts'
import { isEnded, jobStates, lastFault, MAX_FAULTS } from './job.ts'
import type { Move } from './state.ts'
import { isInLine, legalFrom, move } from './state.ts'

const fault: JobFault = { code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 5 }

function jobIn(state: JobState, more: Partial<JobRecord> = {}): JobRecord {
  const base = {
    id: 'j1',
    task: 't',
    queue: 'default',
    payload: '{}',
    priority: 4,
    createdAt: 1,
    maxAttempts: 3,
    faults: [],
    log: [],
  }
  const held = { attempt: 1, fence: 1, dueAt: 50, worker: 'w1', startedAt: 2 }
  const was = { attempt: 1, fence: 1, startedAt: 2, endedAt: 9 }
  const parts: Record<JobState, Pick<JobRecord, 'attempt' | 'fence'> & Partial<JobRecord>> = {
    scheduled: { attempt: 0, fence: 0, dueAt: 50 },
    queued: { attempt: 0, fence: 0 },
    running: held,
    done: was,
    dead: { ...was, faults: [fault] },
    cancelled: was,
  }
  return deepFreeze({ ...base, ...parts[state], state, ...more })
}

function deepFreeze<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value
  for (const member of Object.values(value)) deepFreeze(member)
  return Object.freeze(value)
}

const samples: Record<Move['type'], Move> = {
  due: { type: 'due' },
  claim: { type: 'claim', leaseUntil: 100, worker: 'w2' },
  renew: { type: 'renew', leaseUntil: 200 },
  lapse: { type: 'lapse', fault },
  overdue: { type: 'overdue', fault },
  cancel: { type: 'cancel' },
  revive: { type: 'revive' },
  done: { type: 'done', result: '7' },
  retry: { type: 'retry', runAt: 300, fault },
  snooze: { type: 'snooze', runAt: 300 },
  release: { type: 'release' },
  dead: { type: 'dead', fault },
  cancelled: { type: 'cancelled' },
}

describe('any sequence of moves', () => {
  const number = fc.oneof(fc.nat(), fc.double(), fc.constantFrom(0, -1, Number.NaN, Infinity))
  const anyFault = fc.record({
    code: fc.string(),
    name: fc.string(),
    message: fc.string(),
    attempt: number,
    at: number,
  })
  const argument = fc.record({
    leaseUntil: number,
    runAt: number,
    worker: fc.string(),
    fault: anyFault,
    result: fc.string(),
  })
  const steps = fc.array(
    fc.tuple(fc.constantFrom(...(Object.keys(samples) as Move['type'][])), argument, number),
    {
      maxLength: 60,
    },
  )
  const fresh = fc
    .record({
      maxAttempts: fc.integer({ min: 1, max: 5 }),
      state: fc.constantFrom('queued' as const, 'scheduled' as const),
    })
    .map(({ maxAttempts, state }) => jobIn(state, { maxAttempts }))

  test('keeps every promise about a job', () => {
    fc.assert(
      fc.property(fresh, steps, (start, sequence) => {
        let job = start
        for (const [type, arguments_, now] of sequence) {
          const before = JSON.stringify(job)
          const next = move(job, deepFreeze({ ...arguments_, type } as Move), now)
          expect(JSON.stringify(job)).toBe(before)
          if (next === undefined) continue
          expectLawful(job, type, next)
          job = deepFreeze(next)
        }
      }),
      { numRuns: 1000 },
    )
  })

  function expectLawful(before: JobRecord, type: Move['type'], after: JobRecord): void {
    expect(jobStates).toContain(after.state)
    expect(legalFrom[type]).toContain(before.state)
    expect(before.state).not.toBe('done')
    expect(before.state).not.toBe('cancelled')
    if (before.state === 'dead') expect(type).toBe('revive')

    expect(after.attempt).toBeGreaterThanOrEqual(0)
    expect(after.attempt).toBeLessThanOrEqual(after.maxAttempts)
    expect(after.fence).toBe(before.fence + (type === 'claim' ? 1 : 0))
    expect(after.faults.length).toBeLessThanOrEqual(MAX_FAULTS)

    expect('endedAt' in after).toBe(isEnded(after.state))
    expect('worker' in after).toBe(after.state === 'running')
    expect('dueAt' in after).toBe(after.state === 'running' || after.state === 'scheduled')
    if (after.state === 'running') expect(after.fence).toBeGreaterThan(0)
    if (after.cancelling === true) expect(after.state).toBe('running')
    if (before.cancelling === true) expect(['running', 'done', 'dead', 'cancelled']).toContain(after.state)
    if ('result' in after) expect(after.state).toBe('done')
    if (after.state === 'dead') expect(lastFault(after)).toBeDefined()
    const { id, task, queue, payload, priority, maxAttempts } = before
    expect(after).toMatchObject({ id, task, queue, payload, priority, maxAttempts })
  }
})

describe('each move in each state', () => {
  const pairs = Object.values(samples).flatMap((step) =>
    jobStates.map((state) => ({ step, state, type: step.type })),
  )
  test.each(pairs)('$type of a $state job is lawful or refused', ({ step, state }) => {
    const after = move(jobIn(state), step, 10)
    if (legalFrom[step.type].includes(state)) expect(after).toBeDefined()
    else expect(after).toBeUndefined()
  })

  test('none leads out of done and cancelled, and one out of dead', () => {
    const leaving = (state: JobState) =>
      Object.entries(legalFrom).flatMap(([type, from]) => (from.includes(state) ? [type] : []))
    expect(leaving('done')).toEqual([])
    expect(leaving('cancelled')).toEqual([])
    expect(leaving('dead')).toEqual(['revive'])
  })
})

describe('the moves', () => {
  const running = jobIn('running')
  const last = jobIn('running', { attempt: 3, fence: 7 })
  const cancelling = jobIn('running', { cancelling: true })

  test('a scheduled job that is due is queued, without a due time', () => {
    const after = move(jobIn('scheduled'), samples.due, 60)
    expect(after).toMatchObject({ state: 'queued' })
    expect(after).not.toHaveProperty('dueAt')
  })

  test('a claim begins an attempt, under a new fence, until the end of the lease', () => {
    const after = move(jobIn('queued', { attempt: 1, fence: 4 }), samples.claim, 60)
    expect(after).toMatchObject({ state: 'running', attempt: 2, fence: 5, dueAt: 100, worker: 'w2' })
    expect(after?.startedAt).toBe(60)
  })

  test('a claim beyond the last attempt is refused', () => {
    expect(move(jobIn('queued', { attempt: 3 }), samples.claim, 60)).toBeUndefined()
  })

  test('a renewal moves the end of the lease and nothing else', () => {
    expect(move(cancelling, samples.renew, 60)).toEqual({ ...cancelling, dueAt: 200 })
  })

  test('a finished job is done, with its result and its end', () => {
    expect(move(running, samples.done, 60)).toMatchObject({ state: 'done', result: '7', endedAt: 60 })
    expect(move(running, { type: 'done' }, 60)).not.toHaveProperty('result')
  })

  test('a failed attempt waits until it is retried, with its fault kept', () => {
    expect(move(running, samples.retry, 60)).toMatchObject({ state: 'scheduled', dueAt: 300, attempt: 1 })
    expect(move(running, samples.retry, 60)?.faults).toEqual([fault])
  })

  test.each([samples.retry, samples.lapse])('$type of the last attempt makes a dead letter', (step) => {
    const after = move(last, step, 60)
    expect(after).toMatchObject({ state: 'dead', endedAt: 60, faults: [fault] })
    expect(after).not.toHaveProperty('dueAt')
  })

  test('a snooze gives the attempt back, the last one too', () => {
    expect(move(running, samples.snooze, 60)).toMatchObject({ state: 'scheduled', dueAt: 300, attempt: 0 })
    expect(move(last, samples.snooze, 60)).toMatchObject({ state: 'scheduled', attempt: 2, faults: [] })
  })

  test('a release gives the attempt back and queues the job at once', () => {
    expect(move(running, samples.release, 60)).toMatchObject({ state: 'queued', attempt: 0, fence: 1 })
  })

  test('a lapsed lease costs the attempt and queues the job at once', () => {
    expect(move(running, samples.lapse, 60)).toMatchObject({ state: 'queued', attempt: 1, faults: [fault] })
  })

  test.each([samples.dead, samples.cancelled])('$type ends a running job so', (step) => {
    expect(move(running, step, 60)).toMatchObject({ state: step.type, endedAt: 60 })
  })

  test('a job past its deadline becomes a dead letter with the reason', () => {
    expect(move(jobIn('queued'), samples.overdue, 60)).toMatchObject({ state: 'dead', faults: [fault] })
  })

  test('a waiting job is cancelled at once, a running one is asked to stop', () => {
    expect(move(jobIn('queued'), samples.cancel, 60)).toMatchObject({ state: 'cancelled', endedAt: 60 })
    expect(move(jobIn('scheduled'), samples.cancel, 60)).not.toHaveProperty('dueAt')
    expect(move(running, samples.cancel, 60)).toEqual({ ...running, cancelling: true })
    expect(move(cancelling, samples.cancel, 60)).toEqual(cancelling)
  })

  test.each([samples.retry, samples.snooze, samples.release, samples.lapse])(
    'a job asked to stop ends cancelled by $type, on its last attempt too',
    (step) => {
      for (const attempt of [1, 3]) {
        const after = move(jobIn('running', { attempt, cancelling: true }), step, 60)
        expect(after).toMatchObject({ state: 'cancelled', endedAt: 60 })
        expect(after).not.toHaveProperty('cancelling')
      }
    },
  )

  test('a job asked to stop that finishes all the same is done', () => {
    expect(move(cancelling, samples.done, 60)).toMatchObject({ state: 'done', result: '7' })
  })

  test('a revived dead letter has all its attempts again, and keeps its fence and faults', () => {
    const after = move(jobIn('dead', { attempt: 3, fence: 7 }), samples.revive, 60)
    expect(after).toMatchObject({ state: 'queued', attempt: 0, fence: 7, faults: [fault] })
    expect(after).not.toHaveProperty('endedAt')
  })

  test('the oldest faults go first when there are too many', () => {
    const faults = Array.from({ length: MAX_FAULTS }, (_, i) => ({ ...fault, attempt: i + 1 }))
    const after = move(
      jobIn('running', { faults }),
      { ...samples.retry, fault: { ...fault, attempt: 11 } } as Move,
      60,
    )
    expect(after?.faults.map((each) => each.attempt)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11])
  })
})

describe('the line of a key', () => {
  const key = 'customer-1'

  test('holds a job from when it is first due until it ends', () => {
    expect(isInLine(jobIn('scheduled', { key }))).toBe(false)
    expect(isInLine(jobIn('queued', { key }))).toBe(true)
    expect(isInLine(jobIn('running', { key }))).toBe(true)
    expect(isInLine(jobIn('scheduled', { key, fence: 1 }))).toBe(true)
    for (const state of jobStates.filter(isEnded)) expect(isInLine(jobIn(state, { key }))).toBe(false)
  })

  test('has no job without a key', () => {
    for (const state of jobStates) expect(isInLine(jobIn(state))).toBe(false)
  })
})
