import { afterEach, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { discard, retry, snooze, task } from '../src/index.ts'
import type { TestQueue, TestQueueOptions } from '../src/testing/index.ts'
import { testQueue } from '../src/testing/index.ts'

const input = z.object({ n: z.number() })
const opened: TestQueue[] = []
afterEach(async () => {
  await Promise.all(opened.splice(0).map((queue) => queue.close()))
})

function open(options: TestQueueOptions): TestQueue {
  const queue = testQueue(options)
  opened.push(queue)
  return queue
}

const runs: number[] = []
afterEach(() => void runs.splice(0))
const note = task('note', { input, run: ({ n }) => void runs.push(n) })

/** Pushes its attempt, then ends. */
const counted = task('counted', { input, run: (_, job) => void runs.push(job.attempt) })

describe('time', () => {
  test('stands still until it is told to go on, from the instant that was named', async () => {
    const queue = open({ tasks: [note], now: new Date('2031-05-06T07:08:09Z') })
    expect(new Date(queue.now()).toISOString()).toBe('2031-05-06T07:08:09.000Z')
    await queue.advance('90m')
    expect(new Date(queue.now()).toISOString()).toBe('2031-05-06T08:38:09.000Z')
    expect(queue.clock.now()).toBe(queue.now())
  })

  test('nothing runs before the test says so', async () => {
    const queue = open({ tasks: [note] })
    queue.work()
    await queue.enqueue(note, { n: 1 })
    for (let turns = 0; turns < 50; turns++) await new Promise((resolve) => setImmediate(resolve))
    expect(runs).toEqual([])
    await queue.runUntilIdle()
    expect(runs).toEqual([1])
  })

  test('a delayed job runs at its instant and not a millisecond before', async () => {
    const at: number[] = []
    const late = task('late', { input, run: () => void at.push(queue.now()) })
    const queue: TestQueue = open({ tasks: [late] })
    const begun = queue.now()
    await queue.enqueue(late, { n: 1 }, { delay: '1h' })
    await queue.runUntilIdle()
    await queue.advance(3_599_999)
    expect(at).toEqual([])
    await queue.advance(1)
    expect(at).toEqual([begun + 3_600_000])
  })

  test('jobs that fall due on the way run in the order of their instants, each seeing its own', async () => {
    const at: [number, number][] = []
    const late = task('late', { input, run: ({ n }) => void at.push([n, queue.now()]) })
    const queue: TestQueue = open({ tasks: [late] })
    const begun = queue.now()
    for (const n of [30, 10, 20]) await queue.enqueue(late, { n }, { delay: n * 1000 })
    await queue.advance('1m')
    expect(at).toEqual([10, 20, 30].map((n) => [n, begun + n * 1000]))
  })

  test('a year passes by, and any timer on the clock fires at its instant', async () => {
    const queue = open({ tasks: [note] })
    const begun = queue.now()
    const days: number[] = []
    const everyDay = (): void => {
      days.push((queue.now() - begun) / 86_400_000)
      queue.clock.after(86_400_000, everyDay)
    }
    queue.clock.after(86_400_000, everyDay)
    await queue.enqueue(note, { n: 1 }, { delay: '300d' })
    await queue.advance('365d')
    expect(days).toEqual(Array.from({ length: 365 }, (_, index) => index + 1))
    expect(runs).toEqual([1])
  })

  test('a handler that sleeps on the clock ends when its time has come', async () => {
    const nap = task('nap', {
      input,
      async run({ n }) {
        await new Promise<void>((resolve) => queue.clock.after(60_000, resolve))
        runs.push(n)
      },
    })
    const queue: TestQueue = open({ tasks: [nap] })
    await queue.enqueue(nap, { n: 1 })
    await queue.advance('59s')
    expect(runs).toEqual([])
    expect(queue.enqueued(nap)[0]?.state).toBe('running')
    await queue.advance('1s')
    expect(runs).toEqual([1])
    await queue.enqueue(nap, { n: 2 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 2])
  })

  test('work outside of the process holds time still until it is done', async () => {
    const slow = task('slow', {
      input,
      timeout: '1s',
      async run({ n }) {
        await new Promise((resolve) => setTimeout(resolve, 30))
        runs.push(n)
      },
    })
    const queue = open({ tasks: [slow] })
    const handle = await queue.enqueue(slow, { n: 1 })
    await queue.advance('1h')
    expect(runs).toEqual([1])
    expect(await queue.get(handle.id)).toMatchObject({ state: 'done', attempt: 1 })
  })

  test('a timeout is a matter of the clock, for a handler that heeds it and for one that is deaf', async () => {
    const heeds = task('heeds', {
      input,
      timeout: '30s',
      retry: { attempts: 1 },
      run: (_, job) =>
        new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason))),
    })
    const deaf = task('deaf', {
      input,
      timeout: '30s',
      retry: { attempts: 1 },
      run: () => new Promise(() => {}),
    })
    const queue = open({ tasks: [heeds, deaf], patience: 200 })
    await queue.enqueue(heeds, { n: 1 })
    await queue.enqueue(deaf, { n: 1 })
    await queue.advance('29s')
    expect(queue.enqueued().map(({ state }) => state)).toEqual(['running', 'running'])
    await queue.advance('2s')
    expect(queue.enqueued().map(({ state, error }) => [state, error?.code])).toEqual([
      ['dead', 'JOB_TIMEOUT'],
      ['dead', 'JOB_TIMEOUT'],
    ])
  })

  test('fake timers of a test framework do not get in its way', async () => {
    vi.useFakeTimers()
    try {
      const queue = open({ tasks: [note] })
      await queue.enqueue(note, { n: 1 }, { delay: '1h' })
      await queue.advance('1h')
      expect(runs).toEqual([1])
      await queue.close()
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('running', () => {
  test('retries come after waits that are the same in every run', async () => {
    const flaky = task('flaky', {
      input,
      retry: { base: '10s', attempts: 4 },
      run() {
        runs.push(queue.now())
        throw new Error('no')
      },
    })
    let queue: TestQueue = open({ tasks: [flaky] })
    const handle = await queue.enqueue(flaky, { n: 1 })
    await queue.advance('10m')
    expect(runs).toHaveLength(4)
    expect(await queue.get(handle.id)).toMatchObject({ state: 'dead', attempt: 4, error: { message: 'no' } })
    const first = runs.splice(0)
    queue = open({ tasks: [flaky] })
    await queue.enqueue(flaky, { n: 1 })
    await queue.advance('10m')
    expect(runs).toEqual(first)
  })

  test('a wait is as long as the test chooses its chance', async () => {
    const flaky = task('flaky', {
      input,
      retry: { base: '10s' },
      run(_, job) {
        runs.push(queue.now() - begun)
        if (job.attempt < 4) throw new Error('no')
      },
    })
    const queue: TestQueue = open({ tasks: [flaky], random: () => 1 })
    const begun = queue.now()
    await queue.enqueue(flaky, { n: 1 })
    await queue.runUntilIdle({ scheduled: true })
    expect(runs).toEqual([0, 10_000, 30_000, 70_000])
  })

  test('jobs that jobs enqueue run too, and scheduled ones stay unless asked for', async () => {
    const chain = task('chain', {
      input,
      async run({ n }, job) {
        runs.push(n)
        if (n < 3) await job.enqueue(chain, { n: n + 1 })
        if (n === 3) await job.enqueue(chain, { n: 4 }, { delay: '2d' })
      },
    })
    const queue = open({ tasks: [chain] })
    const begun = queue.now()
    await queue.enqueue(chain, { n: 1 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 2, 3])
    expect(queue.now()).toBe(begun)
    await queue.runUntilIdle({ scheduled: true })
    expect(runs).toEqual([1, 2, 3, 4])
    expect(queue.now()).toBe(begun + 2 * 86_400_000)
  })

  test('urgent jobs first, one of a key at a time', async () => {
    const keyed = task('keyed', {
      input,
      key: 'one',
      run: (_, job) => (job.attempt < 2 ? retry({ after: '1h' }) : 'ok'),
    })
    const queue = open({ tasks: [note, keyed] })
    for (const [n, priority] of [
      [1, 1],
      [5, 5],
      [9, 9],
    ] as const)
      await queue.enqueue(note, { n }, { priority })
    await queue.enqueue(keyed, { n: 1 })
    await queue.enqueue(keyed, { n: 2 })
    await queue.runUntilIdle()
    expect(runs).toEqual([9, 5, 1])
    expect(queue.enqueued(keyed).map(({ state }) => state)).toEqual(['scheduled', 'queued'])
    await queue.advance('1h')
    expect(queue.enqueued(keyed).map(({ state }) => state)).toEqual(['done', 'scheduled'])
  })

  test('a paused queue is idle, and goes on when it is resumed', async () => {
    const queue = open({ tasks: [note] })
    await queue.pause()
    await queue.enqueue(note, { n: 1 })
    await queue.runUntilIdle({ scheduled: true })
    expect(runs).toEqual([])
    await queue.resume()
    await queue.runUntilIdle()
    expect(runs).toEqual([1])
  })

  test('a worker of the test is used instead of its own, and a stopped one is followed by another', async () => {
    const queue = open({ tasks: [note] })
    const worker = queue.work({ concurrency: 1 })
    const done: string[] = []
    worker.on('done', ({ jobId }) => done.push(jobId))
    const first = await queue.enqueue(note, { n: 1 })
    await queue.runUntilIdle()
    expect(done).toEqual([first.id])
    await worker.stop()
    await queue.enqueue(note, { n: 2 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 2])
    expect(done).toEqual([first.id])
  })

  test('a worker that is stopped between runs has stopped, also where a handler ran for a while', async () => {
    const nap = task('nap', {
      input,
      run: () => new Promise<void>((resolve) => void queue.clock.after(60_000, resolve)),
    })
    const queue: TestQueue = open({ tasks: [nap] })
    const worker = queue.work()
    await queue.enqueue(nap, { n: 1 })
    await queue.runUntilIdle()
    await worker.stop()
    expect(worker.health().state).toBe('stopped')
  })

  test('a job that is cancelled while it runs is told, and ends as its handler does', async () => {
    const waits = task('waits', {
      input,
      run: (_, job) =>
        new Promise<void>((_, reject) => {
          job.signal.addEventListener('abort', () => reject(job.signal.reason))
        }),
    })
    const queue = open({ tasks: [waits], patience: 200 })
    const handle = await queue.enqueue(waits, { n: 1 })
    await queue.advance('1s')
    expect(await handle.cancel()).toBe('cancelling')
    await queue.runUntilIdle()
    expect(queue.enqueued(waits)[0]?.state).toBe('cancelled')
  })

  test('runs that are begun side by side follow one another', async () => {
    const queue = open({ tasks: [note] })
    const begun = queue.now()
    await queue.enqueue(note, { n: 1 }, { delay: '30m' })
    await Promise.all([queue.advance('10m'), queue.advance('10m'), queue.runUntilIdle({ scheduled: true })])
    expect(runs).toEqual([1])
    expect(queue.now()).toBe(begun + 30 * 60_000)
  })

  test('a result is there after the run, comes beside it, and is refused where nothing runs', async () => {
    const ten = task('ten', { input, run: ({ n }) => n * 10 })
    const queue = open({ tasks: [ten], patience: 50 })
    const handle = await queue.enqueue(ten, { n: 1 }, { delay: '1h' })
    await expect(handle.result()).rejects.toMatchObject({ code: 'RESULT_TIMEOUT', jobId: handle.id })
    const [result] = await Promise.all([handle.result({ timeout: '2h' }), queue.advance('1h')])
    expect(result).toBe(10)
    expect(await handle.result()).toBe(10)
  })

  test('a wait for a result is over at its instant, however far time goes on at once', async () => {
    const queue = open({ tasks: [note] })
    const handle = await queue.enqueue(note, { n: 1 }, { delay: '1h' })
    const waited = handle.result({ timeout: '30s' }).catch(({ code }) => [code, queue.now() - begun])
    const begun = queue.now()
    await queue.advance('2h')
    expect(await waited).toEqual(['RESULT_TIMEOUT', 30_000])
  })

  test('a task that is run in a thread runs', async () => {
    const { isolated } = await import('./fixtures/testing-kit/isolated.ts')
    const queue = open({ tasks: [isolated] })
    const handle = await queue.enqueue(isolated, { n: 21 })
    await queue.runUntilIdle()
    expect(await handle.result()).toBe(42)
  })

  test('a queue without tasks has time all the same', async () => {
    const queue = open({ tasks: [] })
    await queue.advance('1h')
    await queue.runUntilIdle({ scheduled: true })
  })
})

describe('what does not come to rest', () => {
  test('a handler that never ends is named', async () => {
    const stuck = task('stuck', { input, run: () => new Promise(() => {}) })
    const queue = open({ tasks: [stuck], patience: 100 })
    const { id } = await queue.enqueue(stuck, { n: 1 })
    await expect(queue.runUntilIdle()).rejects.toMatchObject({
      code: 'NOT_IDLE',
      jobId: id,
      task: 'stuck',
      message: expect.stringMatching(`job ${id} of task "stuck" has not ended`),
    })
    await queue.close()
    expect(queue.enqueued(stuck)[0]?.state).toBe('queued')
  })

  test('a handler that sleeps and sleeps is named', async () => {
    const dozes = task('dozes', {
      input,
      async run() {
        for (;;) await new Promise<void>((resolve) => queue.clock.after(86_400_000, resolve))
      },
    })
    const queue: TestQueue = open({ tasks: [dozes] })
    const { id } = await queue.enqueue(dozes, { n: 1 })
    await expect(queue.runUntilIdle()).rejects.toMatchObject({ code: 'NOT_IDLE', jobId: id, task: 'dozes' })
  })

  test('a handler that waits for its own queue to be idle is named', async () => {
    const knot = task('knot', { input, run: (): Promise<void> => queue.runUntilIdle() })
    const queue: TestQueue = open({ tasks: [knot], patience: 100 })
    await queue.enqueue(knot, { n: 1 })
    await expect(queue.runUntilIdle()).rejects.toMatchObject({ code: 'NOT_IDLE', task: 'knot' })
  })

  test('a job that snoozes for ever is named', async () => {
    const sleepy = task('sleepy', { input, run: () => snooze('1m') })
    const queue = open({ tasks: [sleepy] })
    const { id } = await queue.enqueue(sleepy, { n: 1 })
    await queue.runUntilIdle()
    await expect(queue.runUntilIdle({ scheduled: true })).rejects.toMatchObject({
      code: 'NOT_IDLE',
      jobId: id,
      task: 'sleepy',
    })
  })

  test('a job that enqueues itself for ever is named', async () => {
    const rabbit = task('rabbit', {
      input,
      async run(one, job) {
        await job.enqueue(rabbit, one)
      },
    })
    const queue = open({ tasks: [rabbit] })
    await queue.enqueue(rabbit, { n: 1 })
    await expect(queue.runUntilIdle()).rejects.toMatchObject({ code: 'NOT_IDLE', task: 'rabbit' })
  })
})

describe('what was enqueued', () => {
  test('is listed in order, with input, options and state, whoever enqueued it', async () => {
    const parent = task('parent', {
      input: z.object({ to: z.string() }),
      async run({ to }, job) {
        await job.enqueue(note, { n: to.length }, { delay: '1h', key: 'k' })
      },
    })
    const queue = open({ tasks: [parent, note] })
    expect(queue.enqueued()).toEqual([])
    const handle = await queue.enqueue(parent, { to: 'ada' }, { priority: 7, id: 'first' })
    const [before] = queue.enqueued(parent)
    expect(before).toMatchObject({
      id: 'first',
      input: { to: 'ada' },
      priority: 7,
      state: 'queued',
      attempt: 0,
    })
    await queue.runUntilIdle()
    const at = queue.now() + 3_600_000
    expect(queue.enqueued(note)).toMatchObject([
      { task: 'note', input: { n: 3 }, key: 'k', runAt: at, state: 'scheduled' },
    ])
    expect(queue.enqueued().map(({ task, state }) => [task, state])).toEqual([
      ['parent', 'done'],
      ['note', 'scheduled'],
    ])
    expect(handle.id).toBe('first')
    await queue.enqueue(parent, { to: 'eve' }, { id: 'first' })
    expect(queue.enqueued(parent)).toHaveLength(1)
  })

  test('a task that the queue does not have is refused, not taken for one without jobs', () => {
    const queue = open({ tasks: [note] })
    expect(() => queue.enqueued(counted)).toThrow(expect.objectContaining({ code: 'TASK_UNKNOWN' }))
  })

  test('is listed when the queue has forgotten it', async () => {
    const queue = open({ tasks: [note] })
    const { id } = await queue.enqueue(note, { n: 1 })
    await queue.advance('30d')
    await queue.enqueue(note, { n: 2 })
    expect(await queue.get(id)).toBeUndefined()
    expect(queue.enqueued(note).map(({ state }) => state)).toEqual(['done', 'queued'])
  })

  test('is forgotten by clear(), with planned faults and waiting jobs; ids are free again', async () => {
    const queue = open({ tasks: [note, counted] })
    await queue.enqueue(note, { n: 1 }, { id: 'one', key: 'k' })
    await queue.enqueue(note, { n: 2 }, { key: 'k', delay: '1h' })
    await queue.pause()
    queue.faults.deliverTwice('one')
    queue.clear()
    expect(queue.enqueued()).toEqual([])
    expect(queue.faults.pending).toBe(0)
    expect(await queue.find()).toEqual({ jobs: [] })
    await queue.enqueue(note, { n: 3 }, { id: 'one', key: 'k' })
    await queue.runUntilIdle({ scheduled: true })
    expect(runs).toEqual([3])
    expect(await queue.depth()).toMatchObject({ ready: 0, running: 0, scheduled: 0 })
  })

  test('clear() takes a crashed job away for good', async () => {
    const queue = open({ tasks: [counted] })
    queue.faults.crashAfterHandler(counted)
    await queue.enqueue(counted, { n: 1 })
    await queue.advance('1s')
    queue.clear()
    await queue.advance('1h')
    expect(runs).toEqual([1])
  })
})

describe('faults', () => {
  test('a crash after the handler runs it again after the lease', async () => {
    const queue = open({ tasks: [counted] })
    queue.faults.crashAfterHandler(counted)
    const { id } = await queue.enqueue(counted, { n: 1 })
    await queue.advance('29s')
    expect(runs).toEqual([1])
    expect(await queue.get(id)).toMatchObject({ state: 'running' })
    await queue.advance('1s')
    expect(runs).toEqual([1, 2])
    expect(await queue.get(id)).toMatchObject({ state: 'done', attempt: 2, faults: [{ code: 'LEASE_LOST' }] })
  })

  test('runUntilIdle() waits for the lease of a crashed worker to end', async () => {
    const queue = open({ tasks: [counted] })
    const begun = queue.now()
    queue.faults.crashAfterHandler(counted)
    await queue.enqueue(counted, { n: 1 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 2])
    expect(queue.now()).toBe(begun + 30_000)
  })

  test('a crash in the last attempt leaves a dead letter', async () => {
    const once = task('once', { input, retry: { attempts: 1 }, run: (_, job) => void runs.push(job.attempt) })
    const queue = open({ tasks: [once] })
    queue.faults.crashAfterHandler(once)
    await queue.enqueue(once, { n: 1 })
    await queue.runUntilIdle()
    expect(queue.enqueued(once)).toMatchObject([{ state: 'dead', error: { code: 'LEASE_LOST' } }])
    expect(runs).toEqual([1])
  })

  test('a job that comes twice runs its handler twice, and one end is counted', async () => {
    const queue = open({ tasks: [counted] })
    const ends: string[] = []
    const worker = queue.work()
    worker.on('done', () => ends.push('done'))
    worker.on('lost', () => ends.push('lost'))
    queue.faults.deliverTwice(counted)
    const { id } = await queue.enqueue(counted, { n: 1 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 1])
    expect(ends.sort()).toEqual(['done', 'lost'])
    expect(await queue.get(id)).toMatchObject({ state: 'done', attempt: 1, faults: [] })
    await queue.enqueue(counted, { n: 2 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 1, 1])
  })

  test('both deliveries of a job run side by side and have ended when the run has', async () => {
    const slow = task('slow', {
      input,
      async run() {
        runs.push(1)
        await new Promise((resolve) => setTimeout(resolve, runs.length * 20))
        runs.push(2)
      },
    })
    const queue = open({ tasks: [slow] })
    queue.faults.deliverTwice(slow)
    await queue.enqueue(slow, { n: 1 })
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 1, 2, 2])
  })

  test('an attempt that loses its lease is told, its end is refused, and the job runs again', async () => {
    const codes: unknown[] = []
    const waits = task('waits', {
      input,
      async run(_, job) {
        runs.push(job.attempt)
        if (job.attempt > 1) return 'second'
        await new Promise<void>((resolve) => job.signal.addEventListener('abort', () => resolve()))
        codes.push(job.signal.reason.code)
        return 'first'
      },
    })
    const queue = open({ tasks: [waits], patience: 200 })
    const { id } = await queue.enqueue(waits, { n: 1 })
    queue.faults.loseLease(id)
    await queue.runUntilIdle()
    expect(runs).toEqual([1, 2])
    expect(codes).toEqual(['LEASE_LOST'])
    expect(await queue.get(id)).toMatchObject({ state: 'done', attempt: 2, result: 'second' })
  })

  test('a fault is for the job that was named, and happens once a call', async () => {
    const queue = open({ tasks: [counted] })
    const one = await queue.enqueue(counted, { n: 1 })
    const two = await queue.enqueue(counted, { n: 2 })
    queue.faults.loseLease(two.id)
    queue.faults.loseLease(two.id)
    expect(queue.faults.pending).toBe(2)
    await queue.runUntilIdle()
    expect(queue.faults.pending).toBe(0)
    expect(await queue.get(one.id)).toMatchObject({ attempt: 1 })
    expect(await queue.get(two.id)).toMatchObject({ attempt: 3, state: 'done' })
  })

  test('a fault of a task that the queue does not have, or of a task by name, is refused', () => {
    const queue = open({ tasks: [note] })
    expect(() => queue.faults.loseLease(counted)).toThrow(expect.objectContaining({ code: 'TASK_UNKNOWN' }))
    expect(() => queue.faults.loseLease('note')).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    expect(() => queue.faults.backendDown('soon' as '1s')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
  })

  test('while the backend is down calls are rejected, the worker says so, and all goes on by itself after', async () => {
    const queue = open({ tasks: [counted] })
    const worker = queue.work()
    await queue.enqueue(counted, { n: 1 })
    const up = queue.faults.backendDown()
    await expect(queue.enqueue(counted, { n: 2 })).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' })
    await expect(queue.find()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' })
    await queue.advance('1m')
    expect(worker.health().state).toBe('degraded')
    expect(runs).toEqual([])
    await expect(queue.runUntilIdle()).rejects.toMatchObject({ code: 'NOT_IDLE', message: /backend is down/ })
    up()
    await queue.runUntilIdle()
    expect(runs).toEqual([1])
    expect(worker.health().state).toBe('running')
  })

  test('an outage ends with its time, and an end that could not be stored in it is stored then', async () => {
    const cut = task('cut', {
      input,
      run(_, job) {
        runs.push(job.attempt)
        queue.faults.backendDown('10s')
      },
    })
    const queue: TestQueue = open({ tasks: [cut] })
    const begun = queue.now()
    await queue.enqueue(cut, { n: 1 })
    queue.faults.backendDown('10m')
    await queue.runUntilIdle()
    expect(runs).toEqual([1])
    expect(queue.enqueued(cut)).toMatchObject([{ state: 'done', attempt: 1 }])
    expect(queue.now()).toBeGreaterThanOrEqual(begun + 610_000)
  })

  test('a full queue refuses its jobs until there is room, and no other queue', async () => {
    const elsewhere = task('elsewhere', { input, queue: 'elsewhere', run: () => {} })
    const queue = open({ tasks: [note, elsewhere] })
    const room = queue.faults.queueFull()
    await expect(queue.enqueue(note, { n: 1 })).rejects.toMatchObject({ code: 'QUEUE_FULL' })
    await queue.enqueue(elsewhere, { n: 1 })
    room()
    await queue.enqueue(note, { n: 1 })
    expect(queue.enqueued()).toHaveLength(2)
  })
})

describe('the end', () => {
  test('close() lets a handler under way end, and gives back what does not', async () => {
    let go: () => void = () => {}
    const gated = task('gated', { input, run: () => new Promise<void>((resolve) => (go = resolve)) })
    const queue = open({ tasks: [gated], patience: 100 })
    await queue.enqueue(gated, { n: 1 })
    await queue.advance('1s')
    const closing = queue.close()
    go()
    await closing
    expect(queue.enqueued(gated)[0]?.state).toBe('done')
  })

  test('close() ends with the backend down, a crash and a job between attempts', async () => {
    const fails = task('fails', { input, run: () => discard('no') })
    const queue = open({ tasks: [counted, fails] })
    queue.faults.crashAfterHandler(counted)
    await queue.enqueue(counted, { n: 1 })
    await queue.enqueue(fails, { n: 1 })
    await queue.advance('1s')
    queue.faults.backendDown()
    await queue.close()
    await queue.close()
    await expect(queue.advance('1s')).rejects.toMatchObject({ code: 'CLOSED' })
    await expect(queue.enqueue(counted, { n: 1 })).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('it is disposed with its block', async () => {
    let disposed: TestQueue
    {
      await using queue = testQueue({ tasks: [note] })
      disposed = queue
      await queue.enqueue(note, { n: 1 })
      await queue.runUntilIdle()
    }
    await expect(disposed.runUntilIdle()).rejects.toMatchObject({ code: 'CLOSED' })
  })

  test('what cannot be used is refused by name', async () => {
    expect(() => testQueue({ tasks: [note], now: Number.NaN })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
    expect(() => testQueue({ tasks: [note, note] })).toThrow(
      expect.objectContaining({ code: 'TASK_DUPLICATE' }),
    )
    const queue = open({ tasks: [note] })
    await expect(queue.advance(-1)).rejects.toMatchObject({ code: 'OPTION_INVALID' })
  })
})
