import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { openBackend } from '../../src/backends/registry.ts'
import { backendOptions } from '../../src/cli/store.ts'
import { defaultLogger } from '../../src/log.ts'
import { Desk, scheduled, schedules, tasks } from './program.ts'

const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)
const index = JSON.stringify(join(import.meta.dirname, '../../src/index.ts'))

async function namesOf(desk: Desk, ...options: string[]): Promise<string[]> {
  const { schedules: page } = await desk.json('schedules', ...options)
  return page.map(({ name }: { name: string }) => name)
}

/** Writes a schedule as another version, or an attacker, might. */
async function writeRaw(desk: Desk, name: string, value: unknown): Promise<void> {
  const backend = await openBackend(desk.url, undefined, backendOptions(defaultLogger))
  await backend.documents?.write([{ kind: 'schedule', name, expected: 0, value: JSON.stringify(value) }])
  await backend.close()
}

test('a worker ticks the schedules that its module exports, and says which', async () => {
  const desk = new Desk()
  writeFileSync(
    join(desk.folder, 'often.ts'),
    `import { schedule } from ${index}
import { hello } from ${JSON.stringify(tasks)}
export default [schedule('often', { task: hello, input: { name: 'often' }, every: '50ms' })]
`,
  )
  const worker = desk.start(['work', './often.ts'])
  await worker.says(
    'working on default, 10 at once, sqlite:jobs.db\ntasks: hello\nschedules: often (every 50ms)\n',
  )
  const { result } = await desk.peek(async (queue) => {
    for (;;) {
      const { jobs } = await queue.find({ state: 'done' })
      const job = jobs.find(({ id }) => id.startsWith('often@'))
      if (job !== undefined) return job
      await wait(20)
    }
  })
  expect(result).toBe('hello often')
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0, err: '' })
  const { lastTick, lastJobId } = await desk.json('schedules', 'show', 'often')
  expect([lastTick, lastJobId]).toEqual([ISO, expect.stringMatching(/^often@\d{8}T/)])
})

test('a worker says its schedules to machines, too', async () => {
  const desk = new Desk()
  const worker = desk.start(['work', schedules, '--json'])
  await worker.says('\n')
  worker.child.kill('SIGTERM')
  const [started = ''] = (await worker.ended).out.split('\n')
  expect(JSON.parse(started)).toMatchObject({
    event: 'started',
    tasks: ['hello', 'charge'],
    schedules: ['hello.hourly', 'charge.daily'],
  })
})

test('schedules are listed by name, a page at a time', async () => {
  const desk = await scheduled()
  const { out, err } = await desk.run('schedules')
  expect(err).toBe('')
  expect(out).toMatch(/^NAME +WHEN +TASK +NEXT +LAST\n/)
  expect(out).toMatch(/^charge\.daily +0 3 \* \* \* Europe\/Berlin +charge +in \d+ (h|min|s) +-$/m)
  expect(out).toMatch(/^hello\.hourly +every 1h +hello +in (59 min|1 h) +-$/m)
  expect(await namesOf(desk)).toEqual(['charge.daily', 'hello.hourly'])
  expect(await desk.json('schedules', 'list')).toMatchObject({
    schedules: [{ nextAt: ISO }, { every: 3_600_000 }],
  })
  expect((await desk.run('schedules', '--limit', '1')).err).toBe('more: --cursor charge.daily\n')
  expect(await namesOf(desk, '--limit', '1', '--cursor', 'charge.daily')).toEqual(['hello.hourly'])
  expect((await desk.run('schedules', '--cursor', 'x')).err).toBe('no schedules come after that\n')
  const empty = new Desk()
  await empty.peek((queue) => queue.ready())
  expect(await empty.run('schedules')).toMatchObject({ code: 0, out: '', err: 'no schedules are stored\n' })
})

test('a schedule that no worker ticks is seen to be due', async () => {
  const desk = await scheduled()
  const backend = await openBackend(desk.url, undefined, backendOptions(defaultLogger))
  const [document] = (await backend.documents?.list({ kind: 'schedule', names: ['hello.hourly'] })) ?? []
  if (document === undefined) throw new Error('the schedule is not stored')
  const { kind, name, value, version } = document
  const dueAt = Date.now() - 3 * 3_600_000
  await backend.documents?.write([{ kind, name, value, expected: version, dueAt }])
  await backend.close()
  expect((await desk.run('schedules')).out).toMatch(/^hello\.hourly +every 1h +hello +due 3 h ago +-$/m)
})

test('all that is known of a schedule is shown, with what became of its last job', async () => {
  const desk = await scheduled()
  const { out } = await desk.run('schedules', 'show', 'charge.daily')
  for (const line of [
    /^when +0 3 \* \* \* Europe\/Berlin$/,
    /^catch up +all, up to 3$/,
    /^overlap +wait$/,
    /^priority +7$/,
    /^key +charge\.daily$/,
    /^next +in \d+ \w+ +\d{4}-/,
    /^input +\{"cents":5\}$/,
  ])
    expect(out.split('\n')).toContainEqual(expect.stringMatching(line))
  const { id } = await desk.json('schedules', 'run', 'charge.daily', '--module', schedules)
  expect((await desk.run('schedules', 'show', 'charge.daily')).out).toContain(`${id}, queued`)
  await desk.work(id)
  expect(await desk.json('schedules', 'show', 'charge.daily')).toMatchObject({
    name: 'charge.daily',
    catchUp: { all: 3 },
    paused: false,
    lastJobId: id,
    lastJobState: 'dead',
  })
})

test('the next ticks are told in UTC and in the time zone of the schedule', async () => {
  const desk = await scheduled()
  const { out } = await desk.run('schedules', 'next', 'charge.daily')
  const lines = out.trim().split('\n')
  expect(lines).toHaveLength(5)
  for (const line of lines)
    expect(line).toMatch(/^\S+T0[12]:00:00\.000Z {2}\d{4}-\d\d-\d\d 03:00:00 Europe\/Berlin {2}in \d+ \w+$/)
  const { ticks } = await desk.json('schedules', 'next', 'hello.hourly', '--count', '2')
  expect(Date.parse(ticks[1]) - Date.parse(ticks[0])).toBe(3_600_000)
  await desk.run('schedules', 'pause', 'hello.hourly')
  expect(await desk.run('schedules', 'next', 'hello.hourly', '--count', '1')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^\S+Z {2}in \d+ \w+\n$/),
    err: 'hello.hourly is paused: none of these comes before it is resumed\n',
  })
  expect(await desk.run('schedules', 'next', 'hello.hourly', '--count', '0')).toMatchObject({ code: 2 })
})

test('schedules are paused and resumed, all that are named or none', async () => {
  const desk = await scheduled()
  const paused = async (): Promise<boolean[]> =>
    (await desk.json('schedules')).schedules.map((one: { paused: boolean }) => one.paused)
  expect(await desk.run('schedules', 'pause', 'hello.hourly', 'charge.dayly')).toMatchObject({
    code: 1,
    out: '',
    err: expect.stringMatching(
      /no schedule "charge\.dayly" is stored; did you mean "charge\.daily"\?\nSCHEDULE_NOT/,
    ),
  })
  expect(await paused()).toEqual([false, false])
  expect(await desk.run('schedules', 'pause', 'hello.hourly', 'charge.daily')).toMatchObject({
    code: 0,
    out: 'paused hello.hourly\npaused charge.daily\n',
  })
  expect(await paused()).toEqual([true, true])
  expect((await desk.run('schedules')).out).toMatch(/^hello\.hourly .* paused +-$/m)
  expect(await desk.json('schedules', 'resume', 'hello.hourly')).toEqual({ resumed: ['hello.hourly'] })
  expect((await desk.run('schedules', 'resume', 'charge.daily')).out).toMatch(
    /^resumed charge\.daily, next tick in \d+ \w+\n$/,
  )
  expect(await paused()).toEqual([false, false])
})

test('a job of a schedule is queued at once as its task says, paused or not', async () => {
  const desk = await scheduled()
  await desk.run('schedules', 'pause', 'charge.daily')
  const { out, code } = await desk.run('schedules', 'run', 'charge.daily', '--module', schedules)
  expect([code, out]).toEqual([0, expect.stringMatching(/^charge\.daily@[0-9a-z]{30}\n$/)])
  expect(await desk.json('job', out.trim())).toMatchObject({
    task: 'charge',
    queue: 'payments',
    maxAttempts: 1,
    priority: 7,
    key: 'charge.daily',
    payload: { cents: 5 },
    state: 'queued',
  })
  const helloOnly = join(desk.folder, 'hello.ts')
  writeFileSync(helloOnly, `export { hello } from ${JSON.stringify(tasks)}\n`)
  expect(await desk.run('schedules', 'run', 'charge.daily', '--module', helloOnly)).toMatchObject({
    code: 1,
    err: expect.stringContaining('TASK_UNKNOWN'),
  })
  expect((await desk.json('jobs', '--task', 'charge')).jobs).toHaveLength(1)
  expect((await desk.run('schedules', 'run', 'none', '--module', schedules)).err).toContain(
    'SCHEDULE_NOT_FOUND',
  )
})

test("a module's own queue counts with its url and its schedules, and one that it forgot is told of", async () => {
  const desk = await scheduled()
  writeFileSync(
    join(desk.folder, 'own.ts'),
    `import { offload } from ${index}
import { hourly, others } from ${JSON.stringify(schedules)}
export { hourly, others }
export const queue = offload({ url: 'sqlite:own.db', tasks: [hourly.task], schedules: [hourly] })
`,
  )
  const worker = desk.start(['work', './own.ts'])
  await worker.says("the module's own queue")
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({
    code: 0,
    err: 'warning: schedule charge.daily is exported, but not stored: give it to the queue, offload({ schedules: [...] })\n',
  })
  expect(await namesOf(desk, '--url', 'sqlite:own.db')).toEqual(['hello.hourly'])
  const { id } = await desk.json('schedules', 'run', 'hello.hourly', '--module', './own.ts')
  expect(await desk.json('job', id, '--url', 'sqlite:own.db')).toMatchObject({ state: 'queued' })
  const there = ['--module', './own.ts', '--url', 'sqlite:jobs.db']
  const { id: inJobs } = await desk.json('schedules', 'run', 'charge.daily', ...there)
  expect(await desk.json('job', inJobs)).toMatchObject({ state: 'queued' })
})

test('a schedule is removed with --yes, and its jobs stay', async () => {
  const desk = await scheduled()
  const { id } = await desk.json('schedules', 'run', 'hello.hourly', '--module', schedules)
  expect(await desk.run('schedules', 'remove', 'hello.hourly')).toMatchObject({ code: 2 })
  expect(await desk.run('schedules', 'remove', 'hello.hourly', '--yes')).toMatchObject({
    code: 0,
    out: 'removed hello.hourly\n',
  })
  expect(await namesOf(desk)).toEqual(['charge.daily'])
  expect(await desk.json('job', id)).toMatchObject({ state: 'queued' })
  const again = await desk.run('schedules', 'remove', 'hello.hourly', '--yes', '--json')
  expect([again.code, JSON.parse(again.err).code]).toEqual([1, 'SCHEDULE_NOT_FOUND'])
})

test('what cannot be read is not listed, and can be removed', async () => {
  const desk = await scheduled()
  await writeRaw(desk, 'broken', { definition: { overlap: 'newer' } })
  await writeRaw(desk, '\u001b[31mred', 7)
  expect(await namesOf(desk)).toEqual(['charge.daily', 'hello.hourly'])
  const shown = await desk.run('schedules', 'show', '\u001b[31mred')
  expect([shown.code, shown.err.includes('\u001b')]).toEqual([1, false])
  for (const act of ['show', 'next', 'pause', 'resume'])
    expect(await desk.run('schedules', act, 'broken')).toMatchObject({
      code: 1,
      err: expect.stringContaining('or none that can be read'),
    })
  for (const name of ['broken', '\u001b[31mred'])
    expect(await desk.run('schedules', 'remove', name, '--yes')).toMatchObject({ code: 0 })
  expect((await desk.run('schedules', 'remove', 'broken', '--yes')).code).toBe(1)
})

test('to queue a job by hand changes no schedule', async () => {
  const desk = new Desk()
  const { code } = await desk.run('enqueue', 'hello', '{"name":"x"}', '--module', schedules)
  expect([code, await namesOf(desk)]).toEqual([0, []])
})
