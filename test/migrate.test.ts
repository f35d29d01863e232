import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, onTestFinished, test } from 'vitest'
import { z } from 'zod'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { depthIn } from '../src/backends/database.ts'
import { MemoryStore, openMemory } from '../src/backends/memory/index.ts'
import { openBackend } from '../src/backends/registry.ts'
import { systemClock } from '../src/clock.ts'
import type { Documents } from '../src/documents.ts'
import { offload, schedule, task } from '../src/index.ts'
import type { Job, JobRecord } from '../src/job/job.ts'
import type { Ledger } from '../src/ledger.ts'
import { silentLogger } from '../src/log.ts'
import type { MigrateOptions } from '../src/migrate/migrate.ts'
import { migrate } from '../src/migrate/migrate.ts'
import { Desk } from './cli/program.ts'
import { needs } from './servers.ts'

const options: BackendOptions = {
  clock: systemClock,
  logger: silentLogger,
  retention: defaultRetention,
  timeoutMs: 5000,
}
const how: MigrateOptions = { clock: systemClock, to: 'there', waitMs: 0 }
const folder = mkdtempSync(join(tmpdir(), 'offload-migrate-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
const redis = await needs('redis', startRedis)
let places = 0

async function open(url: string): Promise<Backend> {
  const backend = await openBackend(url, undefined, options)
  onTestFinished(() => backend.close())
  return backend
}

function jobs(count: number, overrides: Partial<Job> = {}): Job[] {
  return Array.from({ length: count }, (_, nth) => ({
    id: `${overrides.queue ?? 'q'}-${nth}`,
    task: 'count',
    queue: 'q',
    payload: `{"nth":${nth}}`,
    priority: nth % 10,
    createdAt: Date.now(),
    maxAttempts: 3,
    ...overrides,
  }))
}

function ledgerOf({ ledger }: Backend): Ledger {
  if (ledger === undefined) throw new Error('it has a ledger')
  return ledger
}

function documentsOf({ documents }: Backend): Documents {
  if (documents === undefined) throw new Error('it has documents')
  return documents
}

const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 5 }

async function take(backend: Backend, queue: string): Promise<readonly { job: Job; fence: number }[]> {
  return ledgerOf(backend).claim(queue, {
    limit: 1,
    leaseMs: 60_000,
    worker: 'host-7',
  })
}

/** One job of each kind that there is to move: a retry that waits, a delayed one, dead letters, keys, follow-ups. */
async function furnish(backend: Backend): Promise<void> {
  const ledger = ledgerOf(backend)
  const onDone = [{ id: 'after', task: 'tell', queue: 'notices', priority: 4, maxAttempts: 1 }]
  await ledger.record(jobs(2, { queue: 'tried', onDone, key: 'k' }))
  for (const claim of await take(backend, 'tried'))
    await ledger.settle([{ claim, type: 'retry', runAt: Date.now() + 600_000, fault }])
  await ledger.record(jobs(1, { queue: 'died', onDone }))
  for (const claim of await take(backend, 'died')) await ledger.settle([{ claim, type: 'dead', fault }])
  await ledger.record(
    jobs(1, { queue: 'late', runAt: Date.now() + 600_000, key: 'k', deadline: Date.now() + 700_000 }),
  )
  await ledger.record(jobs(3, { queue: 'fresh', tenant: 'ada', trace: { traceparent: '00-a-b-01' } }))
  await ledger.record([
    { ...(jobs(1, { queue: 'once' })[0] as Job), idempotency: { key: 'i', fingerprint: 'f' } },
  ])
  await ledger.act({ type: 'pause', queue: 'fresh' })
  await documentsOf(backend).write([
    { kind: 'schedule', name: 'hourly', expected: 0, value: '{"a":1}', dueAt: Date.now() + 600_000 },
    { kind: 'webhook', name: 'ada', expected: 0, value: '{}' },
  ])
}

async function all(backend: Backend): Promise<JobRecord[]> {
  const { jobs: found } = await ledgerOf(backend).find({ limit: 1000 })
  return found.toSorted((a, b) => (a.id < b.id ? -1 : 1))
}

async function documents(backend: Backend): Promise<unknown[]> {
  const [schedules, receivers] = [
    await documentsOf(backend).list({ kind: 'schedule' }),
    await documentsOf(backend).list({ kind: 'webhook' }),
  ]
  return [...schedules, ...receivers]
}

const targets: [string, () => string][] = [
  ['memory', () => 'memory:'],
  ['sqlite', () => `sqlite:${join(folder, `to-${++places}.db`)}`],
]
if (redis !== undefined)
  targets.push(['redis', () => `redis://127.0.0.1:${redis.port}?prefix=to-${++places}`])

describe.each(targets)('from sqlite to %s', (_, url) => {
  test('everything goes along as it was: states, attempts, faults, follow-ups, documents and pauses', async () => {
    const from = await open(`sqlite:${join(folder, `from-${++places}.db`)}`)
    const to = await open(url())
    await furnish(from)
    const [before, papers] = [await all(from), await documents(from)]
    await ledgerOf(from).act({ type: 'pause', queue: 'empty' })

    const moved = await migrate(from, to, { ...how, queues: ['empty'] })

    expect(moved).toMatchObject({ jobs: { queued: 6, scheduled: 2, dead: 1 }, left: [], remaining: 0 })
    expect(moved.documents).toEqual(['schedule hourly', 'webhook ada'])
    expect(moved.paused.toSorted()).toEqual(['empty', 'fresh'])
    expect(await all(to)).toEqual(before)
    expect(await documents(to)).toEqual(papers)
    expect([await all(from), await documents(from)]).toEqual([[], []])
    expect(await depthIn(ledgerOf(to), 'fresh')).toMatchObject({ ready: 3, paused: true })
    expect(await depthIn(ledgerOf(to), 'tried')).toMatchObject({ ready: 1, scheduled: 1, paused: false })
    expect((await depthIn(ledgerOf(to), 'empty')).paused).toBe(true)
    expect((await depthIn(ledgerOf(from), 'tried')).paused).toBe(true)
    expect(await take(to, 'tried')).toEqual([])
    expect(
      await ledgerOf(to).record([
        { ...(jobs(1)[0] as Job), id: 'x', idempotency: { key: 'i', fingerprint: 'g' } },
      ]),
    ).toEqual([{ id: 'once-0', status: 'mismatch' }])
  })
})

/** A backend whose calls that change something are counted; the last one fails, before or after it is done, as do all after it. */
function mortal(backend: Backend, life: { calls: number; after: boolean }): Backend {
  const change = async <T>(call: () => Promise<T>): Promise<T> => {
    life.calls--
    if (life.calls < 0 || (life.calls === 0 && !life.after)) throw new Error('killed')
    const answer = await call()
    if (life.calls === 0) throw new Error('killed')
    return answer
  }
  const [ledger, papers] = [ledgerOf(backend), documentsOf(backend)]
  return {
    ...backend,
    ledger: Object.assign(Object.create(ledger) as Ledger, {
      record: (...args: Parameters<Ledger['record']>) => change(() => ledger.record(...args)),
      act: (...args: Parameters<Ledger['act']>) => change(() => ledger.act(...args)),
      find: ledger.find.bind(ledger),
      depth: ledger.depth.bind(ledger),
    }),
    documents: {
      list: papers.list.bind(papers),
      due: papers.due.bind(papers),
      write: (changes) => change(() => papers.write(changes)),
    },
  }
}

test.each([false, true])(
  'a move that dies at any of its writes (after it: %s) is finished by the next one: nothing twice, nothing lost',
  async (after) => {
    let deaths = 0
    for (let calls = 1; ; calls++) {
      const [here, there] = [new MemoryStore(options), new MemoryStore(options)]
      const [from, to] = [openMemory(options, here), openMemory(options, there)]
      await furnish(from)
      const [before, papers] = [await all(from), await documents(from)]
      const life = { calls, after }
      const isDead = await migrate(mortal(from, life), mortal(to, life), how).then(
        () => false,
        (error: Error) => error.message === 'killed',
      )
      const moved = await migrate(from, to, how)
      expect(moved).toMatchObject({ left: [], remaining: 0 })
      expect(moved.paused).toEqual(['fresh'])
      expect(await all(to)).toEqual(before)
      expect(await documents(to)).toEqual(papers)
      expect([await all(from), await documents(from)]).toEqual([[], []])
      expect((await depthIn(ledgerOf(to), 'tried')).paused).toBe(false)
      if (!isDead) break
      deaths++
    }
    expect(deaths).toBeGreaterThan(20)
  },
)

describe.each(targets.slice(1))('the program, killed again and again, moves to %s', (_, url) => {
  test('and workers there run each job once, while it moves', async () => {
    const desk = new Desk()
    const [COUNT, place] = [4000, url()]
    const from = await open(desk.url)
    await ledgerOf(from).record(jobs(COUNT))
    const runs = new Map<number, number>()
    const count = task('count', {
      queue: 'q',
      input: z.object({ nth: z.number() }),
      run: ({ nth }) => void runs.set(nth, (runs.get(nth) ?? 0) + 1),
    })
    const queue = offload({ url: place, tasks: [count], logger: silentLogger })
    onTestFinished(() => queue.close())
    const worker = queue.work()
    onTestFinished(() => worker.stop())
    let kills = 0
    for (let mark = 200; ; mark += 700) {
      const running = desk.start(['migrate', desk.url, place, '--yes'])
      running.child.stdin.end()
      let ended = false
      void running.ended.then(() => {
        ended = true
      })
      while (!ended && runs.size < mark) await wait(1)
      if (ended) break
      running.child.kill('SIGKILL')
      await running.ended
      kills++
    }
    const { code, out, err } = await desk.run('migrate', desk.url, place, '--yes')
    expect(code).toBe(0)
    expect(err).not.toContain('error')
    expect(out).toContain('nothing is left in the old store')
    while (runs.size < COUNT) await wait(5)
    while ((await queue.depth('q')).running !== 0) await wait(5)
    expect([...runs.values()].every((times) => times === 1)).toBe(true)
    expect(await depthIn(ledgerOf(from), 'q')).toMatchObject({ ready: 0, running: 0, scheduled: 0, dead: 0 })
    expect(kills).toBeGreaterThan(1)
  }, 120_000)
})

describe('a move is refused', () => {
  test('while jobs run: the workers are named, and the queues go on', async () => {
    const [from, to] = [openMemory(options), openMemory(options)]
    await ledgerOf(from).record(jobs(2))
    const [claim] = await take(from, 'q')
    await expect(migrate(from, to, how)).rejects.toMatchObject({
      code: 'MOVE_REFUSED',
      message: expect.stringContaining('worker host-7 (1)'),
    })
    expect((await depthIn(ledgerOf(from), 'q')).paused).toBe(false)
    expect(await all(to)).toEqual([])
    const moving = migrate(from, to, { ...how, waitMs: 60_000 })
    while ((await depthIn(ledgerOf(from), 'q')).paused !== true) await wait(1)
    if (claim !== undefined) await ledgerOf(from).settle([{ claim, type: 'retry', runAt: Date.now(), fault }])
    await moving
    expect((await all(to)).map(({ id, attempt }) => [id, attempt])).toEqual([
      ['q-0', 0],
      ['q-1', 1],
    ])
  })

  test('where both ends are one store, and nothing of it is touched', async () => {
    const store = new MemoryStore(options)
    const [from, to] = [openMemory(options, store), openMemory(options, store)]
    await furnish(from)
    const before = await all(from)
    await expect(migrate(from, to, how)).rejects.toMatchObject({
      code: 'MOVE_REFUSED',
      message: expect.stringContaining('one store'),
    })
    expect(await all(from)).toEqual(before)
    expect((await depthIn(ledgerOf(from), 'tried')).paused).toBe(false)
  })

  test('to another place while one is not finished, unless that is forgotten', async () => {
    const [from, first, second] = [openMemory(options), openMemory(options), openMemory(options)]
    await furnish(from)
    const life = { calls: 12, after: true }
    await expect(migrate(mortal(from, life), mortal(first, life), how)).rejects.toThrow('killed')
    const other = { ...how, to: 'elsewhere' }
    await expect(migrate(from, second, other)).rejects.toThrow(/a move to there was begun.*--anew/)
    expect(await all(second)).toEqual([])
    expect(await migrate(from, second, { ...other, anew: true })).toMatchObject({ left: [] })
  })
})

test('what the new store has under the same id, key or name stays in the old one, and is told', async () => {
  const [from, to] = [openMemory(options), openMemory(options)]
  await furnish(from)
  const [other] = jobs(1, { queue: 'fresh', tenant: 'ada', payload: '"another"' })
  const [once] = jobs(1, { queue: 'once', id: 'request-2', idempotency: { key: 'i', fingerprint: 'f' } })
  await ledgerOf(to).record([other as Job, once as Job])
  await documentsOf(to).write([{ kind: 'schedule', name: 'hourly', expected: 0, value: '{"a":2}' }])
  const { left } = await migrate(from, to, how)
  expect(left).toEqual([
    { what: 'job fresh-0', why: 'another job has its id there' },
    { what: 'job once-0', why: 'its idempotency key is that of job request-2 there' },
    { what: 'schedule hourly', why: expect.stringContaining('another of that name') },
  ])
  expect((await all(from)).map(({ id }) => id)).toEqual(['fresh-0', 'once-0'])
  expect(await documents(from)).toHaveLength(1)
})

test('moved back, all is where it was, and queues that are still paused there are told', async () => {
  const [from, to] = [openMemory(options), openMemory(options)]
  await furnish(from)
  const before = await all(from)
  await migrate(from, to, how)
  expect(await migrate(to, from, { ...how, to: 'back' })).toMatchObject({
    left: [],
    remaining: 0,
    paused: ['fresh'],
    idle: expect.arrayContaining(['tried', 'late', 'once', 'notices', 'died']),
  })
  expect(await all(from)).toEqual(before)
})

test('a schedule ticks on at its place where it is moved to, also when the application was started there first', async () => {
  const [old, fresh] = [
    `sqlite:${join(folder, `${++places}.db`)}`,
    `sqlite:${join(folder, `${++places}.db`)}`,
  ]
  const clean = task('clean', { input: z.null(), run: () => undefined })
  const daily = schedule('daily', { task: clean, input: null, cron: '0 3 * * *' })
  for (const url of [old, fresh]) {
    await using queue = offload({ url, tasks: [clean], schedules: [daily] })
    await queue.ready()
  }
  const [from, to] = [await open(old), await open(fresh)]
  expect(await migrate(from, to, how)).toMatchObject({ documents: ['schedule daily'], left: [] })
  expect(await documents(from)).toEqual([])
  expect(await documents(to)).toMatchObject([{ name: 'daily', dueAt: expect.any(Number) }])
})

test('jobs of a key run in the order in which they were accepted, delayed ones among them', async () => {
  const [from, to] = [openMemory(options), openMemory(options)]
  const later = { runAt: Date.now() + 100 }
  await ledgerOf(from).record(
    jobs(450, { key: 'k', priority: 4 }).map((job, nth) => (nth % 3 === 0 ? { ...job, ...later } : job)),
  )
  await migrate(from, to, how)
  while ((await depthIn(ledgerOf(to), 'q')).scheduled !== 0) await wait(5)
  const order: string[] = []
  for (let [claim] = await take(to, 'q'); claim !== undefined; [claim] = await take(to, 'q')) {
    order.push(claim.job.id)
    await ledgerOf(to).settle([{ claim, type: 'done' }])
  }
  expect(order).toEqual(jobs(450).map(({ id }) => id))
})

test('the program tells what it would move, asks, and counts what it moved', async () => {
  const desk = new Desk()
  const from = await open(desk.url)
  await furnish(from)
  const to = `sqlite:${join(desk.folder, 'to.db')}`
  const plan = await desk.run('migrate', desk.url, to, '--dry-run')
  expect(plan.out.split('\n')).toEqual([
    'would move 6 waiting, 2 scheduled and 1 dead jobs',
    'would move schedule hourly',
    'would move webhook ada',
    'would pause fresh there, as it is here',
    '',
  ])
  expect(await all(from)).toHaveLength(9)
  expect((await desk.run('migrate', desk.url, to)).err).toContain('--yes')
  expect((await desk.run('migrate', desk.url, 'memory:', '--yes')).code).toBe(2)
  expect((await desk.run('migrate', desk.url, to, '--yes', '--url', to)).code).toBe(2)
  expect((await desk.run('migrate', 'sqlite:none.db', to, '--yes')).err).toContain('there is no file')
  expect(await desk.json('migrate', desk.url, to, '--yes')).toMatchObject({
    jobs: { queued: 6, scheduled: 2, dead: 1 },
    paused: ['fresh'],
    left: [],
    remaining: 0,
  })
  expect(await desk.json('depth', 'fresh', '--url', to)).toMatchObject({
    queues: [{ ready: 3, paused: true }],
  })
})
