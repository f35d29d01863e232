import { chmodSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { offload, task } from '../../src/index.ts'
import { Desk } from './program.ts'

interface Check {
  check: string
  state: string
  found: string
  todo?: string
}

async function examined(
  desk: Desk,
  ...words: string[]
): Promise<{ code: number | null; checks: Record<string, Check> }> {
  const { code, out } = await desk.run('doctor', '--json', ...words)
  const { ok, checks } = JSON.parse(out) as { ok: boolean; checks: Check[] }
  expect(ok).toBe(code === 0)
  return { code, checks: Object.fromEntries(checks.map((each) => [each.check, each])) }
}

test('a healthy queue is found healthy, and nothing is left behind', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'x')
  const before = readdirSync(desk.folder)
  const { code, checks } = await examined(desk)
  const ofThisHost = ['disk', 'file system', 'fsync']
  expect(
    Object.values(checks).filter(({ check, state }) => state !== 'ok' && !ofThisHost.includes(check)),
  ).toEqual([])
  expect(code).toBe(0)
  expect(Object.keys(checks)).toEqual(
    expect.arrayContaining([
      'node',
      'url',
      'folder',
      'permissions',
      'disk',
      'fsync',
      'file times',
      'schema',
      'open',
      'powers',
      'queues',
      'clock',
    ]),
  )
  expect(readdirSync(desk.folder)).toEqual(before)
  expect((await desk.run('doctor')).out).toMatch(/^ok {2}schema +version \d+$/m)
})

test('a queue that is not there yet is no fault, and is not made', async () => {
  const desk = new Desk()
  const { code, checks } = await examined(desk)
  expect([code, checks.schema?.found, readdirSync(desk.folder)]).toEqual([
    0,
    expect.stringContaining('made at the first use'),
    [],
  ])
})

test('each fault is wrong, with what to do', async () => {
  const desk = new Desk()
  writeFileSync(join(desk.folder, 'notes.txt'), 'no database, and long enough to be read as one: '.repeat(50))
  const foreign = new DatabaseSync(join(desk.folder, 'foreign.db'))
  foreign.exec('create table t (x)')
  foreign.close()
  await desk.run('enqueue', 'x', '--url', 'sqlite:newer.db')
  const newer = new DatabaseSync(join(desk.folder, 'newer.db'))
  newer.exec('pragma user_version = 999')
  newer.close()
  const faults: [url: string, check: string, todo: RegExp][] = [
    ['sqlite:none/jobs.db', 'folder', /mkdir -p .*none, or correct the url/],
    ['sqlite:notes.txt', 'schema', /name another file/],
    ['sqlite:foreign.db', 'schema', /name another file/],
    ['sqlite:newer.db', 'schema', /upgrade offload/],
    ['sqlite:', 'url', /needs the path of a file/],
    ['sqlite:x?mode=1', 'url', /sqlite:path/],
    ['redis://user:hunter2@127.0.0.1:1', 'open', /check that the server runs/],
    ['nothing', 'open', /this release knows/],
  ]
  for (const [url, check, todo] of faults) {
    const { code, checks } = await examined(desk, '--url', url)
    expect([url, code, checks[check]]).toEqual([
      url,
      1,
      expect.objectContaining({ state: 'wrong', todo: expect.stringMatching(todo) }),
    ])
    expect(JSON.stringify(checks)).not.toContain('hunter2')
  }
  expect(new DatabaseSync(join(desk.folder, 'newer.db')).prepare('pragma user_version').get()).toEqual({
    user_version: 999,
  })
})

test('what may go wrong is a warning', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'x', '--queue', 'mail')
  await desk.run('pause', 'mail')
  chmodSync(join(desk.folder, 'jobs.db'), 0o666)
  const { code, checks } = await examined(desk)
  expect(code).toBe(0)
  expect(checks.queue).toMatchObject({
    state: 'warn',
    found: 'mail has 1 that wait and is paused',
    todo: 'offload resume mail',
  })
  expect(checks.permissions).toMatchObject({ state: 'warn', found: expect.stringContaining('by everybody') })
  expect((await examined(desk, '--url', 'memory:')).checks.url).toMatchObject({ state: 'warn' })
})

test('a queue that stands still is found behind any number of newer jobs', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'x', '--queue', 'mail')
  await desk.run('pause', 'mail')
  const other = task('other', { input: z.number(), queue: 'busy', run: () => {} })
  await using queue = offload({ url: `sqlite:${join(desk.folder, 'jobs.db')}`, tasks: [other] })
  await queue.enqueueMany(
    other,
    Array.from({ length: 300 }, (_, n) => ({ input: n })),
  )
  expect((await examined(desk)).checks.queue).toMatchObject({
    state: 'warn',
    found: 'mail has 1 that wait and is paused',
  })
})

test('a queue without a worker and a newest job of the future are told', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'x')
  const db = new DatabaseSync(join(desk.folder, 'jobs.db'))
  db.exec(`update jobs set created = created - 3600000`)
  expect((await examined(desk)).checks.queue).toMatchObject({
    state: 'warn',
    todo: expect.stringContaining('offload work'),
  })
  db.exec(`update jobs set created = created + 9000000`)
  db.close()
  expect((await examined(desk)).checks['newest job']).toMatchObject({
    state: 'warn',
    found: expect.stringContaining('in the future'),
  })
})

test.skipIf(process.platform !== 'linux')('a file in memory is told', async () => {
  const desk = new Desk()
  const shm = statSync('/dev/shm', { throwIfNoEntry: false })
  if (shm === undefined) return
  mkdirSync(join(desk.folder, 'x'))
  symlinkSync('/dev/shm', join(desk.folder, 'shm'))
  const { checks } = await examined(desk, '--url', 'sqlite:shm/offload-doctor-test.db')
  expect(checks['file system']).toMatchObject({ state: 'warn', found: expect.stringContaining('tmpfs') })
})
