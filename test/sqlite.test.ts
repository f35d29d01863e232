import { spawnSync } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import type { TestContext } from 'vitest'
import { afterAll, describe, expect, test } from 'vitest'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { Connection } from '../src/backends/sqlite/connection.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import { SqliteLedger } from '../src/backends/sqlite/ledger.ts'
import { FIRST_VERSION, migrations, VERSION } from '../src/backends/sqlite/schema.ts'
import { eventsOf, Wake } from '../src/backends/wake.ts'
import { systemClock } from '../src/clock.ts'
import type { Job } from '../src/job/job.ts'
import { silentLogger } from '../src/log.ts'
import { VirtualClock } from '../src/testing/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-sqlite-'))
const opened: Backend[] = []
let files = 0

afterAll(async () => {
  for (const backend of opened) await backend.close()
  rmSync(folder, { recursive: true, force: true })
})

const newFile = (): string => join(folder, `${++files}.db`)

async function open(path: string, overrides: Partial<BackendOptions> = {}): Promise<Backend> {
  const options = {
    clock: systemClock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 300,
    ...overrides,
  }
  const backend = await openSqlite(path, options)
  opened.push(backend)
  return backend
}

function job(id: string, createdAt: number = Date.now(), payload = '1'): Job {
  return { id, task: 't', queue: 'default', payload, priority: 4, createdAt, maxAttempts: 3 }
}

/** What another program sees in the file. */
function look(path: string, sql: string): Record<string, unknown>[] {
  const db = new DatabaseSync(path)
  try {
    return db.prepare(sql).all() as Record<string, unknown>[]
  } finally {
    db.close()
  }
}

const never = new AbortController().signal

async function runOne(backend: Backend): Promise<string | undefined> {
  const [claim] = await backend.broker.claim('default', {
    limit: 1,
    leaseMs: 5000,
    worker: 'w',
    signal: never,
  })
  if (claim === undefined) return undefined
  expect(await backend.broker.settle([{ claim, type: 'done' }])).toEqual([true])
  return claim.job.id
}

describe('a file that cannot be used is refused with a code that says why', () => {
  test('no SQLite database', async () => {
    const path = newFile()
    writeFileSync(path, 'these are the notes of somebody else, and long enough to be looked at.'.repeat(20))
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' })
  })

  test('a database with tables of something else, which stays as it is', async () => {
    const path = newFile()
    look(path, 'create table theirs (x)')
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' })
    expect(look(path, 'select name from sqlite_schema')).toEqual([{ name: 'theirs' }])
  })

  test('a database of another application', async () => {
    const path = newFile()
    look(path, 'pragma application_id = 42')
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' })
  })

  test('a store of a newer release, which stays as it is', async () => {
    const path = newFile()
    await (await open(path)).close()
    look(path, `pragma user_version = ${VERSION + 1}`)
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_NEWER' })
    expect(look(path, 'pragma user_version')).toEqual([{ user_version: VERSION + 1 }])
  })

  test('a folder that does not exist, and a folder where a file should be', async () => {
    await expect(open(join(folder, 'no', 'such', 'folder.db'))).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    })
    const path = newFile()
    mkdirSync(path)
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' })
  })
})

describe('a lock that another process holds', () => {
  test('is waited for without blocking the event loop', async () => {
    const path = newFile()
    const { broker } = await open(path, { timeoutMs: 10_000 })
    const other = new DatabaseSync(path)
    other.exec('begin immediate')
    let answered = false
    const enqueued = broker.enqueue([job('waits')]).then((answer) => {
      answered = true
      return answer
    })
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setTimeout(resolve, 5))
    expect(answered).toBe(false)
    other.exec('rollback')
    other.close()
    expect(await enqueued).toEqual([{ id: 'waits', status: 'queued' }])
  })

  test('longer than the timeout rejects with BACKEND_UNAVAILABLE; nothing is written and nothing is lost', async () => {
    const path = newFile()
    const backend = await open(path)
    await backend.broker.enqueue([job('before')])
    const other = new DatabaseSync(path)
    other.exec('begin immediate')
    await expect(backend.broker.enqueue([job('refused')])).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
      retryAfterMs: 1000,
    })
    other.exec('rollback')
    other.close()
    expect((await backend.broker.depth('default')).ready).toBe(1)
    expect(await backend.broker.enqueue([job('refused')])).toEqual([{ id: 'refused', status: 'queued' }])
    expect([await runOne(backend), await runOne(backend)]).toEqual(['before', 'refused'])
  })
})

describe('the file', () => {
  test('of every older schema is brought forward', async () => {
    for (let version = FIRST_VERSION - 1; version <= VERSION; version++) {
      const path = newFile()
      const db = new DatabaseSync(path)
      const applied = migrations.slice(0, version - FIRST_VERSION + 1)
      for (const migration of applied) db.exec(migration)
      if (applied.length > 0)
        db.exec(`pragma user_version = ${version}; pragma application_id = ${0x6f666c64}`)
      db.close()
      const backend = await open(path)
      await backend.broker.enqueue([job('a')])
      expect(await runOne(backend)).toBe('a')
      await backend.close()
      expect(look(path, 'pragma user_version')).toEqual([{ user_version: VERSION }])
    }
  })

  test('of an older schema knows how many bytes wait in it', async () => {
    const path = newFile()
    const db = new DatabaseSync(path)
    const before = 5
    for (const migration of migrations.slice(0, before - FIRST_VERSION + 1)) db.exec(migration)
    db.exec(`pragma user_version = ${before}; pragma application_id = ${0x6f666c64}`)
    const insert = db.prepare(
      `insert into jobs (seq, id, queue, task, priority, created, max_attempts, rank, payload)
       values (?, 'job ' || ?, ?, 't', 4, 0, 3, 0, ?)`,
    )
    const queues = ['default', 'default', 'default', 'other', 'default']
    for (const [nth, queue] of queues.entries()) insert.run(nth + 1, nth + 1, queue, '"é"')
    db.exec(`insert into ready values (1, 2, 'default', 0, 0, 0, null, null, null);
      insert into waiting values (3, 0, 9000000000000, 0, 0, null);
      insert into ready values (4, 4, 'other', 0, 0, 0, null, null, null);
      insert into ended values (5, 5, 'default', 3, ${Date.now()}, 1, 1, 0)`)
    db.close()
    const { broker } = await open(path)
    expect((await broker.depth('default')).waitingBytes).toBe(3 * 4)
    expect((await broker.depth('other')).waitingBytes).toBe(4)
  })

  test('of a pre-release is refused and left as it is', async () => {
    const path = newFile()
    look(path, 'create table jobs (seq integer primary key)')
    look(path, `pragma application_id = ${0x6f666c64}`)
    look(path, 'pragma user_version = 1')
    await expect(open(path)).rejects.toMatchObject({ code: 'BACKEND_CORRUPT' })
    expect(look(path, 'pragma user_version')).toEqual([{ user_version: 1 }])
  })

  test('is opened without fsyncs by name and parameter, and holds the same jobs', async () => {
    const path = newFile()
    const fast = await open(`${path}?synchronous=normal`)
    await fast.broker.enqueue([job('quick')])
    await fast.close()
    expect(await runOne(await open(path))).toBe('quick')
  })

  test('is in WAL mode and gives free pages back', async () => {
    const path = newFile()
    await open(path)
    expect(look(path, 'pragma journal_mode')).toEqual([{ journal_mode: 'wal' }])
    expect(look(path, 'pragma auto_vacuum')).toEqual([{ auto_vacuum: 2 }])
  })

  test('answers a claim from the index of ready jobs, in its order', async () => {
    const path = newFile()
    await open(path)
    const plan = look(
      path,
      "explain query plan select first, last from ready where queue = 'q' order by rank, first limit 16",
    ).map(({ detail }) => String(detail))
    expect(plan.join('\n')).toContain('SEARCH ready USING INDEX ready_rank (queue=?)')
    expect(plan.join('\n')).not.toContain('TEMP B-TREE')
  })

  test('answers what is due among documents from an index, in its order', async () => {
    const path = newFile()
    await open(path)
    const where = "kind = 'k' and due >= 1 and (due, name) > (1, 'a') order by due, name limit 9"
    for (const columns of ['name, version, value, due', 'due']) {
      const plan = look(path, `explain query plan select ${columns} from documents where ${where}`)
      const text = plan.map(({ detail }) => String(detail)).join('\n')
      expect(text).toContain('documents_due')
      expect(text).not.toContain('TEMP B-TREE')
    }
  })

  test('is made by whoever comes first when several open it at the same moment', async () => {
    const threads = 2
    const files = Array.from({ length: 100 }, newFile)
    const arrived = new Int32Array(new SharedArrayBuffer(4 * files.length))
    const openers = Array.from({ length: threads }, () => {
      const program = join(import.meta.dirname, 'fixtures', 'opening.ts')
      return new Worker(program, { workerData: { files, threads, arrived } })
    })
    const failures = await Promise.all(openers.map((opener) => once(opener, 'message')))
    expect(failures.flat(2)).toEqual([])
  })

  test('is shared by two connections, and one wakes the claim of the other', async () => {
    const path = newFile()
    const [producer, worker] = [await open(path), await open(path)]
    const claimed = runOne(worker)
    await producer.broker.enqueue([job('hello')])
    expect(await claimed).toBe('hello')
  })
})

describe('what is asked in one turn of the event loop', () => {
  test('is one transaction: a job that a worker waits for is claimed where it is accepted', async () => {
    const path = newFile()
    const backend = await open(path)
    const claimed = runOne(backend)
    await backend.broker.enqueue([job('a')])
    expect(await claimed).toBe('a')
    const [first] = look(path, 'select body from events order by first limit 1')
    const types = (JSON.parse(String(first?.body)) as [string][]).map(([type]) => type)
    expect(types).toEqual(['accepted', 'started'])
  })

  test('fails alone: what cannot be stored leaves the rest of the turn done', async () => {
    const backend = await open(newFile())
    const unstorable = { ...job('bad'), payload: Symbol('no text') as unknown as string }
    const [good, bad, other] = await Promise.allSettled([
      backend.broker.enqueue([job('good')]),
      backend.broker.enqueue([unstorable]),
      backend.broker.enqueue([job('other')]),
    ])
    expect([good.status, bad.status, other.status]).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect((await backend.broker.depth('default')).ready).toBe(2)
    expect([await runOne(backend), await runOne(backend)]).toEqual(['good', 'other'])
  })

  test('is answered before the file is closed, also when it waits for a lock', async () => {
    const path = newFile()
    const backend = await open(path, { timeoutMs: 10_000 })
    const other = new DatabaseSync(path)
    other.exec('begin immediate')
    const accepted = backend.broker.enqueue([job('last')])
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    const closed = backend.close()
    other.exec('rollback')
    other.close()
    expect(await accepted).toEqual([{ id: 'last', status: 'queued' }])
    await closed
  })

  test('is answered before the file is closed', async () => {
    const path = newFile()
    const backend = await open(path)
    const accepted = backend.broker.enqueue([job('last')])
    await backend.close()
    expect(await accepted).toEqual([{ id: 'last', status: 'queued' }])
    expect(look(path, 'select id from jobs')).toEqual([{ id: 'last' }])
  })
})

describe('a file that fails while others are told of a change', () => {
  test('costs the hint alone: what was committed is not done again', async () => {
    const path = newFile()
    const [producer, worker] = [await open(path), await open(path)]
    await producer.broker.enqueue([job('a'), job('b'), job('c'), job('d')])
    look(path, 'drop table peers')
    const want = { limit: 1, leaseMs: 60_000, worker: 'w' }
    const claims = await Promise.all([1, 2].map(() => worker.ledger?.claim('default', want)))
    expect(claims.flat().map((claim) => claim?.job.id)).toEqual(['a', 'b'])
    await worker.broker.enqueue([job('e')])
    expect(await worker.broker.depth('default')).toMatchObject({ ready: 3, running: 2 })
  })

  test('ends no process: a hint that comes then wakes all the same', async () => {
    const path = newFile()
    const wake = new Wake(systemClock)
    const db = new Connection(path, 300, true)
    const options = { clock: systemClock, logger: silentLogger, retention: defaultRetention, timeoutMs: 300 }
    const ledger = new SqliteLedger(db, wake, options)
    await expect.poll(() => look(path, 'select port from peers')).toHaveLength(1)
    const port = Number(look(path, 'select port from peers')[0]?.port)
    db.close()
    const { hint } = wake.listen(eventsOf(), 60_000, never)
    const socket = createSocket('udp4')
    socket.send('', port, '127.0.0.1')
    await hint
    socket.close()
    await ledger.close()
  })
})

describe('what has ended is forgotten', () => {
  const retention = {
    ...defaultRetention,
    endedMs: 60_000,
    endedCount: 100,
    eventsMs: 60_000,
    eventsCount: 500,
  }

  async function round(backend: Backend, name: string, jobs: number, now: number): Promise<void> {
    await backend.broker.enqueue(
      Array.from({ length: jobs }, (_, n) => job(`${name}-${n}`, now, JSON.stringify('x'.repeat(500)))),
    )
    const claims = await backend.broker.claim('default', {
      limit: jobs,
      leaseMs: 5000,
      worker: 'w',
      signal: never,
    })
    await backend.broker.settle(claims.map((claim) => ({ claim, type: 'done' as const })))
  }

  const count = (path: string): number => Number(look(path, 'select count(*) as n from jobs')[0]?.n)

  test('by count, and the file stays bounded over many rounds', async () => {
    const path = newFile()
    const clock = new VirtualClock()
    const backend = await open(path, { clock, retention })
    const sizes: number[] = []
    for (let at = 0; at < 15; at++) {
      await round(backend, `r${at}`, 300, clock.now())
      await clock.advance(6000)
      await expect.poll(() => count(path)).toBe(100)
      look(path, 'pragma wal_checkpoint(truncate)')
      sizes.push(statSync(path).size)
    }
    expect(Math.max(...sizes.slice(5))).toBeLessThan(Math.max(...sizes.slice(0, 5)) * 1.5)
    const events = look(path, 'select count(*) as n, max(last) - min(first) as span from events')[0]
    expect(Number(events?.span)).toBeLessThan(2000)
  })

  test('by age, and more than one batch of it', async () => {
    const path = newFile()
    const clock = new VirtualClock()
    const backend = await open(path, { clock, retention: { ...retention, endedCount: 100_000 } })
    await round(backend, 'old', 1200, clock.now())
    await clock.advance(30_000)
    expect(count(path)).toBe(1200)
    await round(backend, 'new', 10, clock.now())
    await clock.advance(36_000)
    await expect
      .poll(async () => {
        await clock.advance(100)
        return count(path)
      })
      .toBe(10)
  })
})

/** A file system of its own, where the system lets this user make one. */
function mounted(run: (path: string, remount: (how: string) => void) => Promise<void>) {
  return async (context: TestContext): Promise<void> => {
    const path = mkdtempSync(join(folder, 'disk-'))
    const mount = (...args: string[]): boolean => spawnSync('mount', [...args, path]).status === 0
    if (!mount('-t', 'tmpfs', '-o', 'size=2m', 'tmpfs'))
      context.skip('no file system can be mounted here: run it as root on Linux')
    try {
      await run(path, (how) => expect(mount('-o', `remount,${how}`)).toBe(true))
    } finally {
      spawnSync('umount', ['-l', path])
    }
  }
}

describe('a disk', () => {
  test(
    'that is full refuses with BACKEND_FULL, keeps what was accepted, and goes on when there is room',
    mounted(async (path, remount) => {
      const backend = await open(join(path, 'queue.db'))
      const accepted: string[] = []
      const fill = async (): Promise<void> => {
        for (let n = 0; n < 1000; n++) {
          await backend.broker.enqueue([job(`full-${n}`, Date.now(), JSON.stringify('x'.repeat(20_000)))])
          accepted.push(`full-${n}`)
        }
      }
      await expect(fill()).rejects.toMatchObject({ code: 'BACKEND_FULL' })
      expect(accepted.length).toBeGreaterThan(0)
      expect((await backend.broker.depth('default')).ready).toBe(accepted.length)
      remount('size=32m')
      const done: (string | undefined)[] = []
      for (const _ of accepted) done.push(await runOne(backend))
      expect(done).toEqual(accepted)
      await backend.close()
    }),
  )

  test(
    'that is read-only refuses with BACKEND_READ_ONLY or BACKEND_UNAVAILABLE when opened',
    mounted(async (path, remount) => {
      const file = join(path, 'queue.db')
      await (await open(file)).close()
      remount('ro')
      await expect(open(file)).rejects.toMatchObject({
        code: expect.stringMatching(/^BACKEND_(READ_ONLY|UNAVAILABLE)$/),
      })
    }),
  )
})
