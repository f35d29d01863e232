import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { afterAll, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { defaultRetention } from '../src/backend.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import { systemClock } from '../src/clock.ts'
import type { AnyTask, Logger, Offload } from '../src/index.ts'
import { discard, offload, retry, snooze, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-work-'))
const opened: Offload[] = []
let files = 0
afterAll(async () => {
  await Promise.all(opened.map((queue) => queue.close()))
  rmSync(folder, { recursive: true, force: true })
})

function open(
  tasks: AnyTask[],
  path: string = join(folder, `${++files}.db`),
  logger: Logger = silentLogger,
): Offload {
  const queue = offload({ url: `sqlite:${path}`, tasks, logger })
  opened.push(queue)
  return queue
}

const input = z.object({ n: z.number() })
const until = (condition: () => unknown): Promise<void> =>
  vi.waitFor(async () => expect(await condition()).toBeTruthy(), { timeout: 10_000, interval: 5 })

test('a failed attempt is tried again and its faults are kept', async () => {
  const flaky = task('flaky', {
    input,
    retry: { base: 5 },
    run(_, job) {
      if (job.attempt < 3) throw new Error(`no ${job.attempt}`)
      return job.attempt
    },
  })
  const queue = open([flaky])
  queue.work()
  const handle = await queue.enqueue(flaky, { n: 1 })
  expect(await handle.result({ timeout: '10s' })).toBe(3)
  expect((await queue.get(handle.id))?.faults.map(({ message }) => message)).toEqual(['no 1', 'no 2'])
})

test('what a handler is given can be taken apart, spread and handed on', async () => {
  const seen: unknown[] = []
  const taken = task('taken', {
    input,
    async run(_, job) {
      const { signal, progress, log, ...rest } = { ...job }
      seen.push(signal === job.signal, signal.aborted, Object.keys(rest).toSorted())
      progress({ done: 1 })
      log('half way')
    },
  })
  const queue = open([taken])
  queue.work()
  const { id } = await queue.enqueue(taken, { n: 1 })
  await queue.result(id, { timeout: '10s' })
  const names = ['attempt', 'enqueue', 'id', 'input', 'key', 'maxAttempts', 'queue', 'scheduledFor', 'task']
  expect(seen).toEqual([true, false, names])
  expect(await queue.get(id)).toMatchObject({ progress: { done: 1 }, log: [{ message: 'half way' }] })
})

test('a handler says retry, snooze and discard by what it returns', async () => {
  const seen: number[] = []
  const says = task('says', {
    input,
    run(_, job) {
      seen.push(job.attempt)
      if (seen.length === 1) return snooze(5)
      if (seen.length === 2) return retry({ after: 5, reason: 'later' })
      return discard('enough')
    },
  })
  const queue = open([says])
  queue.work()
  const handle = await queue.enqueue(says, { n: 1 })
  await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
  expect(seen).toEqual([1, 1, 2])
  expect((await queue.get(handle.id))?.faults.map(({ message }) => message)).toEqual(['later', 'enough'])
})

test('a policy may discard an error, and an error may say when to come back', async () => {
  let asked = 0
  const picky = task('picky', {
    input,
    retry: { base: '1h', on: (error) => ((error as Error).message === 'fatal' ? 'discard' : undefined) },
    run({ n }) {
      if (n === 1) throw new Error('fatal')
      if (++asked === 1) throw Object.assign(new Error('busy'), { retryAfter: '5ms' })
      return 'ok'
    },
  })
  const queue = open([picky])
  queue.work()
  await expect((await queue.enqueue(picky, { n: 1 })).result({ timeout: '10s' })).rejects.toMatchObject({
    code: 'JOB_DEAD',
  })
  expect(await (await queue.enqueue(picky, { n: 2 })).result({ timeout: '10s' })).toBe('ok')
})

test('what cannot be run becomes a dead letter with its raw payload, and the queue moves on', async () => {
  const path = join(folder, `${++files}.db`)
  const fine = task('fine', { input, run: ({ n }) => n })
  const queue = open([fine], path)
  await queue.ready()
  const raw = await openSqlite(path, {
    clock: systemClock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 1000,
  })
  const job = { task: 'fine', queue: 'default', priority: 4, createdAt: Date.now(), maxAttempts: 3 }
  await raw.broker.enqueue([
    { ...job, id: 'unknown', task: 'nobody', payload: '{"n":1}' },
    { ...job, id: 'broken', payload: '{"n":' },
    { ...job, id: 'polluting', payload: '{"n":1,"__proto__":{"x":1}}' },
    { ...job, id: 'invalid', payload: '{"n":"one"}' },
  ])
  await raw.close()
  queue.work()
  const after = await queue.enqueue(fine, { n: 7 })
  expect(await after.result({ timeout: '10s' })).toBe(7)
  const codes = await Promise.all(
    ['unknown', 'broken', 'polluting', 'invalid'].map(async (id) => (await queue.get(id))?.error?.code),
  )
  expect(codes).toEqual(['TASK_UNKNOWN', 'PAYLOAD_UNDECODABLE', 'PAYLOAD_UNDECODABLE', 'INPUT_INVALID'])
  expect((await queue.get('broken'))?.payload).toBe('{"n":')
})

test('a handler that ignores its signal loses its slot at the timeout', async () => {
  const deaf = task('deaf', { input, timeout: 50, retry: { attempts: 1 }, run: () => new Promise(() => {}) })
  const fine = task('fine', { input, run: ({ n }) => n })
  const queue = open([deaf, fine])
  queue.work({ concurrency: 1 })
  const handle = await queue.enqueue(deaf, { n: 1 })
  const next = await queue.enqueue(fine, { n: 2 })
  expect(await next.result({ timeout: '10s' })).toBe(2)
  expect((await queue.get(handle.id))?.error?.code).toBe('JOB_TIMEOUT')
})

test('a cancel from another process reaches the running handler', async () => {
  const path = join(folder, `${++files}.db`)
  const reasons: unknown[] = []
  const long = task('long', {
    input,
    run: (_, job) =>
      new Promise((_resolve, reject) => {
        job.signal.addEventListener('abort', () => {
          reasons.push(job.signal.reason.code)
          reject(job.signal.reason)
        })
      }),
  })
  const here = open([long], path)
  const there = open([long], path)
  here.work()
  const handle = await there.enqueue(long, { n: 1 })
  await until(async () => (await there.get(handle.id))?.state === 'running')
  expect(await there.cancel(handle.id)).toBe('cancelling')
  await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'JOB_CANCELLED' })
  expect(reasons).toEqual(['JOB_CANCELLED'])
  expect(await there.cancel(handle.id)).toBe('ended')
})

test('a worker whose event loop was blocked past its lease loses the job, is told, and names the task', async () => {
  const path = join(folder, `${++files}.db`)
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) }
  let runs = 0
  const blocks = task('blocks', {
    input,
    async run() {
      if (++runs > 1) return 'second'
      await new Promise((resolve) => setImmediate(resolve))
      const end = performance.now() + 1500
      while (performance.now() < end);
      await until(() => runs > 1)
      return 'first'
    },
  })
  const queue = open([blocks], path, logger)
  const worker = queue.work({ lease: 500 })
  let lost = 0
  worker.on('lost', () => void lost++)
  const handle = await queue.enqueue(blocks, { n: 1 })
  expect(await handle.result({ timeout: '10s' })).toBe('second')
  await until(() => lost === 1)
  expect(warned.join('\n')).toMatch(/blocked for \d+ ms while blocks ran/)
})

test('stopping lets running jobs end, gives the others back and costs no attempt', async () => {
  const path = join(folder, `${++files}.db`)
  const begun = Promise.withResolvers<void>()
  const go = Promise.withResolvers<void>()
  const slow = task('slow', {
    input,
    async run({ n }) {
      begun.resolve()
      await go.promise
      return n
    },
  })
  const queue = open([slow], path)
  const worker = queue.work({ concurrency: 1 })
  const first = await queue.enqueue(slow, { n: 1 })
  const second = await queue.enqueue(slow, { n: 2 })
  await begun.promise
  const stopping = worker.stop()
  go.resolve()
  await stopping
  expect(worker.health().state).toBe('stopped')
  expect((await queue.get(first.id))?.state).toBe('done')
  expect(await queue.get(second.id)).toMatchObject({ state: 'queued', attempt: 0 })
})

test('when the time to stop runs out the job is given back and costs no attempt', async () => {
  const stubborn = task('stubborn', { input, run: () => new Promise(() => {}) })
  const queue = open([stubborn])
  const worker = queue.work()
  const handle = await queue.enqueue(stubborn, { n: 1 })
  await until(async () => (await queue.get(handle.id))?.state === 'running')
  await worker.stop({ timeout: 20 })
  expect(await queue.get(handle.id)).toMatchObject({ state: 'queued', attempt: 0 })
})

test('never more handlers run than the concurrency allows, and urgent jobs go first', async () => {
  let now = 0
  let most = 0
  const order: number[] = []
  const count = task('count', {
    input,
    async run({ n }) {
      most = Math.max(most, ++now)
      order.push(n)
      await new Promise((resolve) => setTimeout(resolve, 2))
      now--
    },
  })
  const queue = open([count])
  const jobs = Array.from({ length: 40 }, (_, n) => ({ input: { n }, options: { priority: n % 10 } }))
  const answers = await queue.enqueueMany(count, jobs)
  const worker = queue.work({ concurrency: 3 })
  await Promise.all(
    answers.map((answer) => answer.status === 'accepted' && answer.handle.result({ timeout: '10s' })),
  )
  expect(most).toBe(3)
  expect(order.slice(0, 4).map((n) => n % 10)).toEqual([9, 9, 9, 9])
  await worker.stop()
})

test('ends are stored and timers fire while a long backlog of quick jobs is run', async () => {
  let started = 0
  let fired = 0
  const quick = task('quick', {
    input,
    async run() {
      started++
    },
  })
  const queue = open([quick])
  await queue.enqueueMany(
    quick,
    Array.from({ length: 8000 }, (_, n) => ({ input: { n } })),
  )
  const worker = queue.work({ concurrency: 100 })
  const startedAtFirstEnd = new Promise<number>((resolve) => worker.on('done', () => resolve(started)))
  const timer = setInterval(() => fired++, 1)
  expect(await startedAtFirstEnd).toBeLessThan(4000)
  const firedBefore = fired
  await until(() => started === 8000)
  clearInterval(timer)
  expect(fired).toBeGreaterThan(firedBefore)
  await worker.stop()
})

test('whatever a handler throws is stored and the worker lives', async () => {
  const circular: { self?: unknown } = {}
  circular.self = circular
  const thrown: unknown[] = [
    'text',
    undefined,
    null,
    7n,
    circular,
    Symbol('s'),
    runInNewContext('new TypeError("foreign")'),
    Object.create(null),
    new Proxy(
      {},
      {
        get: () => {
          throw new Error('trap')
        },
      },
    ),
  ]
  const throws = task('throws', {
    input,
    retry: { attempts: 1 },
    run({ n }) {
      throw thrown[n]
    },
  })
  const queue = open([throws])
  queue.work()
  for (let n = 0; n < thrown.length; n++) {
    const handle = await queue.enqueue(throws, { n })
    await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
    expect(typeof (await queue.get(handle.id))?.error?.message).toBe('string')
  }
})

test('a result that JSON cannot carry is a dead letter at once', async () => {
  const bad = task('bad', { input, run: () => ({ when: new Date() }) })
  const queue = open([bad])
  queue.work()
  const handle = await queue.enqueue(bad, { n: 1 })
  await expect(handle.result({ timeout: '10s' })).rejects.toMatchObject({ code: 'JOB_DEAD' })
  expect((await queue.get(handle.id))?.error).toMatchObject({ code: 'RESULT_INVALID', attempt: 1 })
})

test('one bad job in a batch fails alone; a full queue and a repeated id say so', async () => {
  const fine = task('fine', { input, run: ({ n }) => n })
  const queue = offload({
    url: `sqlite:${join(folder, `${++files}.db`)}`,
    tasks: [fine],
    limits: { waiting: 2, payloadBytes: 60 },
  })
  opened.push(queue)
  const answers = await queue.enqueueMany(fine, [
    { input: { n: 1 } },
    { input: { n: 'x' as unknown as number } },
    { input: { n: 2 }, options: { id: 'same' } },
  ])
  expect(
    answers.map((answer) =>
      answer.status === 'rejected' ? (answer.error as { code: string }).code : answer.status,
    ),
  ).toEqual(['accepted', 'INPUT_INVALID', 'accepted'])
  await expect(queue.enqueue(fine, { n: 3 })).rejects.toMatchObject({
    code: 'QUEUE_FULL',
    retryAfterMs: 1000,
  })
  expect((await queue.enqueue(fine, { n: 2 }, { id: 'same' })).duplicate).toBe(true)
  await expect(queue.enqueue(fine, { n: 1, more: 'x'.repeat(60) } as { n: number })).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  })
})

test('a queue without room for the bytes of a job names the limit, and takes one that fits', async () => {
  const text = task('text', { input: z.string(), run: () => {} })
  const queue = offload({
    url: `sqlite:${join(folder, `${++files}.db`)}`,
    tasks: [text],
    limits: { payloadBytes: 60, waitingBytes: { default: 100 } },
  })
  opened.push(queue)
  await queue.enqueue(text, 'x'.repeat(58))
  await expect(queue.enqueue(text, 'x'.repeat(39))).rejects.toMatchObject({
    code: 'QUEUE_FULL',
    queue: 'default',
    message: expect.stringContaining('limit of 100 bytes'),
  })
  await queue.enqueue(text, 'x'.repeat(38))
  expect((await queue.depth()).waitingBytes).toBe(100)
})

test('dead letters are driven again in bulk, and a wait that is too short says so', async () => {
  let mended = false
  const later = task('later', {
    input,
    retry: { attempts: 1 },
    run({ n }) {
      if (!mended) throw new Error('not yet')
      return n
    },
  })
  const queue = open([later])
  const worker = queue.work()
  const handles = await Promise.all([1, 2, 3].map((n) => queue.enqueue(later, { n })))
  await Promise.allSettled(handles.map((handle) => handle.result({ timeout: '10s' })))
  expect((await queue.depth()).dead).toBe(3)
  mended = true
  const progress: number[] = []
  expect(await queue.redrive({ task: 'later' }, { onProgress: (count) => progress.push(count) })).toBe(3)
  expect(progress).toEqual([3])
  expect(await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))).toEqual([1, 2, 3])
  await worker.stop()
  await expect((await queue.enqueue(later, { n: 4 })).result({ timeout: 20 })).rejects.toMatchObject({
    code: 'RESULT_TIMEOUT',
  })
  await expect(queue.result('nobody')).rejects.toMatchObject({ code: 'JOB_NOT_FOUND' })
})

const refused: [what: string, code: string, call: (queue: Offload, fine: AnyTask) => unknown][] = [
  ['an unknown scheme', 'URL_UNKNOWN', () => offload({ url: 'mysql://x', tasks: [] }).ready()],
  ['no scheme', 'URL_UNKNOWN', () => offload({ url: 'jobs.db', tasks: [] }).ready()],
  ['an empty url', 'URL_UNKNOWN', () => offload({ url: '', tasks: [] }).ready()],
  ['a name of Object as scheme', 'URL_UNKNOWN', () => offload({ url: 'constructor:x', tasks: [] }).ready()],
  ['sqlite: without a path', 'URL_UNKNOWN', () => offload({ url: 'sqlite:', tasks: [] }).ready()],
  [
    'sqlite: with an unknown parameter',
    'URL_UNKNOWN',
    () => offload({ url: 'sqlite:jobs.db?sync=off', tasks: [] }).ready(),
  ],
  [
    'sqlite: that would accept without writing',
    'URL_UNKNOWN',
    () => offload({ url: 'sqlite:jobs.db?synchronous=off', tasks: [] }).ready(),
  ],
  [
    'a folder as the file',
    'BACKEND_UNAVAILABLE',
    () => offload({ url: `sqlite:${folder}`, tasks: [] }).ready(),
  ],
  [
    'a folder that is not there',
    'BACKEND_UNAVAILABLE',
    () => offload({ url: `sqlite:${folder}/no/jobs.db`, tasks: [] }).ready(),
  ],
  [
    'a ledger for a database',
    'OPTION_INVALID',
    () => offload({ url: 'memory:', ledger: 'sqlite:x', tasks: [] }).ready(),
  ],
  ['a foreign task', 'TASK_UNKNOWN', (queue) => queue.enqueue(task('fine', { input, run() {} }), { n: 1 })],
  ['an id with a line break', 'ID_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1 }, { id: 'a\r\nb' })],
  ['an id that climbs', 'ID_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1 }, { id: '../x' })],
  ['a priority of 10', 'OPTION_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1 }, { priority: 10 })],
  [
    'a delay in words',
    'OPTION_INVALID',
    (queue, fine) => queue.enqueue(fine, { n: 1 }, { delay: 'soon' as '1s' }),
  ],
  ['a negative delay', 'OPTION_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1 }, { delay: -1 })],
  ['no date', 'OPTION_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1 }, { runAt: new Date('x') })],
  [
    'delay and runAt',
    'OPTION_INVALID',
    (queue, fine) => queue.enqueue(fine, { n: 1 }, { delay: 1, runAt: 1 }),
  ],
  [
    'a trace that is too long',
    'OPTION_INVALID',
    (queue, fine) => queue.enqueue(fine, { n: 1 }, { trace: { traceparent: 'x'.repeat(3000) } }),
  ],
  [
    'a name in a trace that no header can have',
    'OPTION_INVALID',
    (queue, fine) => queue.enqueue(fine, { n: 1 }, { trace: { ['x'.repeat(201)]: 'x' } }),
  ],
  ['a Date in the input', 'PAYLOAD_INVALID', (queue, fine) => queue.enqueue(fine, { n: 1, at: new Date() })],
  [
    'a cycle',
    'PAYLOAD_INVALID',
    (queue, fine) => {
      const cycle: { n: number; me?: unknown } = { n: 1 }
      cycle.me = cycle
      return queue.enqueue(fine, cycle)
    },
  ],
  ['a limit of 0 for a page', 'OPTION_INVALID', (queue) => queue.find({ limit: 0 })],
  ['a time that is none', 'OPTION_INVALID', (queue) => queue.find({ to: Number.POSITIVE_INFINITY })],
  ['a name with a slash for a queue', 'OPTION_INVALID', (queue) => queue.pause('a/b')],
]

for (const [what, code, call] of refused) {
  test(`${what} is refused with ${code}`, async () => {
    const fine = task('fine', { input: z.looseObject({ n: z.number() }), run: () => 'ran' })
    const queue = open([fine])
    queue.work()
    await expect((async () => call(queue, fine))()).rejects.toMatchObject({ code })
    expect(await (await queue.enqueue(fine, { n: 1 })).result({ timeout: '10s' })).toBe('ran')
  })
}

test('after close everything is refused with CLOSED', async () => {
  const fine = task('fine', { input, run: ({ n }) => n })
  const queue = open([fine])
  await queue.enqueue(fine, { n: 1 })
  await queue.close()
  await expect(queue.enqueue(fine, { n: 1 })).rejects.toMatchObject({ code: 'CLOSED' })
  expect(() => queue.work()).toThrow(/closed/)
})
