import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { offload, task } from '../../src/index.ts'
import { Desk, ownQueue, tasks } from './program.ts'

const ID = /^[0-9a-z]{30}$/
const ISO = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/)

test('alone it prints a short help, and --version its version', async () => {
  const desk = new Desk()
  const help = await desk.run()
  expect(help).toMatchObject({ code: 0, err: '' })
  for (const command of ['work <module>', 'enqueue <task>', 'dead redrive', 'doctor', 'completion'])
    expect(help.out).toContain(command)
  expect((await desk.run('--version')).out).toMatch(/^\d+\.\d+\.\d+\n$/)
  expect((await desk.json('--version')).version).toMatch(/^\d+\.\d+\.\d+$/)
  expect((await desk.run('jobs', '--help')).out).toContain('--cursor <cursor>')
  expect((await desk.run('help', 'dead', 'purge')).out).toContain('--yes')
  for (const words of [
    ['help', 'dead'],
    ['dead', '--help'],
  ])
    expect(await desk.run(...words)).toMatchObject({
      code: 0,
      out: expect.stringContaining('dead show <id>'),
    })
})

test('a job is queued with the schema of its task, run by a worker and told of in full', async () => {
  const desk = new Desk()
  const { out, code } = await desk.run('enqueue', 'hello', '{"name":"you"}', '--module', tasks)
  expect(code).toBe(0)
  const id = out.trim()
  expect(id).toMatch(ID)
  const worked = await desk.work(id)
  expect(worked).toMatchObject({ code: 0, err: '' })
  expect(worked.out).toContain('working on payments, default, slow, 10 at once, sqlite:jobs.db')
  expect(await desk.json('job', id)).toMatchObject({
    id,
    task: 'hello',
    state: 'done',
    attempt: 1,
    payload: { name: 'you' },
    result: 'hello you',
    log: [{ at: ISO, message: 'greeting you' }],
    createdAt: ISO,
    startedAt: ISO,
    endedAt: ISO,
    faults: [],
  })
  const { out: told } = await desk.run('job', id)
  expect(told).toMatch(/^state {5}done$/m)
  expect(told).toMatch(/^result {4}"hello you"$/m)
  expect(told).toMatch(/ {2}(now|\d+ s ago) +greeting you$/m)
})

test('input comes from the command line, stdin or a file, and what does not fit is refused', async () => {
  const desk = new Desk()
  writeFileSync(join(desk.folder, 'input.json'), '{"name":"file"}')
  const fromFile = await desk.enqueue('hello', '@input.json')
  const piped = desk.start(['enqueue', 'hello', '-', '--module', tasks])
  piped.child.stdin.end('{"name":"stdin"}')
  const fromStdin = (await piped.ended).out.trim()
  expect((await desk.json('job', fromFile)).payload).toEqual({ name: 'file' })
  expect((await desk.json('job', fromStdin)).payload).toEqual({ name: 'stdin' })
  const misfit = await desk.run('enqueue', 'hello', '{"name":7}', '--module', tasks)
  expect(misfit.code).toBe(1)
  expect(misfit.err).toContain('INPUT_INVALID')
  const polluting = await desk.run('enqueue', 'hello', '{"__proto__":{}}')
  expect([polluting.code, polluting.err]).toEqual([1, expect.stringContaining('PAYLOAD_UNDECODABLE')])
  for (const [input, says] of [
    ['{name:1}', 'is no JSON'],
    ['@none.json', 'cannot be read'],
  ])
    expect(await desk.run('enqueue', 'hello', input ?? '')).toMatchObject({
      code: 2,
      err: expect.stringContaining(says ?? ''),
    })
  expect((await desk.json('jobs')).jobs).toHaveLength(2)
})

test('the options of enqueue reach the job, with a module and without', async () => {
  const desk = new Desk()
  await desk.run(
    'enqueue',
    'ship',
    '{"a":[1]}',
    '--queue',
    'out',
    '--attempts',
    '3',
    '--id',
    'one',
    '--key',
    'k',
  )
  const again = await desk.run('enqueue', 'ship', '1', '--queue', 'out', '--id', 'one')
  expect(again).toMatchObject({ code: 0, out: 'one is remembered already: nothing was queued\n' })
  expect(await desk.json('job', 'one')).toMatchObject({
    task: 'ship',
    queue: 'out',
    maxAttempts: 3,
    key: 'k',
    payload: { a: [1] },
  })
  const id = await desk.enqueue('charge', '{"cents":1}', '--priority', '9', '--delay', '1h')
  expect(await desk.json('job', id)).toMatchObject({
    queue: 'payments',
    priority: 9,
    state: 'scheduled',
    maxAttempts: 1,
    runAt: ISO,
  })
})

test('a module that exports its own queue is used with its own url, unless --url is given', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'hello', '{"name":"own"}', '--module', ownQueue, '--id', 'a')
  await desk.run(
    'enqueue',
    'hello',
    '{"name":"jobs"}',
    '--module',
    ownQueue,
    '--id',
    'b',
    '--url',
    'sqlite:jobs.db',
  )
  expect(await desk.json('jobs', '--url', 'sqlite:own.db')).toMatchObject({ jobs: [{ id: 'a' }] })
  expect(await desk.json('jobs')).toMatchObject({ jobs: [{ id: 'b' }] })
})

test('jobs are listed newest first, by what is asked, a page at a time', async () => {
  const desk = new Desk()
  for (const name of ['a', 'b', 'c']) await desk.run('enqueue', 'hello', `{"name":"${name}"}`, '--id', name)
  await desk.run('enqueue', 'other', '--queue', 'q', '--id', 'd', '--delay', '1h')
  const first = await desk.json('jobs', '--limit', '2')
  expect(first.jobs.map(({ id }: { id: string }) => id)).toEqual(['d', 'c'])
  const { jobs, next } = await desk.json('jobs', '--limit', '2', '--cursor', first.next)
  expect([jobs.map(({ id }: { id: string }) => id), next]).toEqual([['b', 'a'], undefined])
  const asked: [string[], number][] = [
    [['--state', 'scheduled'], 1],
    [['--task', 'hello'], 3],
    [['--queue', 'q'], 1],
    [['--key', 'none'], 0],
    [['--tenant', 'none'], 0],
    [['--from', '1h'], 4],
    [['--from', '2100-01-01'], 0],
    [['--to', '2020-01-01T00:00:00Z'], 0],
  ]
  for (const [options, count] of asked)
    expect((await desk.json('jobs', ...options)).jobs, options.join(' ')).toHaveLength(count)
  const { out, err } = await desk.run('jobs', '--limit', '3')
  expect(out).toMatch(
    /^ID +STATE +TASK +QUEUE +PRIORITY +ATTEMPT +ACCEPTED +KEY\nd {3}scheduled {2}other +q +4 +0\/5 +/,
  )
  expect(err).toMatch(/^more: --cursor \d+\n$/)
  expect((await desk.run('jobs', '--queue', 'none')).err).toBe('no jobs fit\n')
})

test('dead letters are listed, shown, redriven and purged', async () => {
  const desk = new Desk()
  const ids = [await desk.enqueue('charge', '{"cents":1}'), await desk.enqueue('charge', '{"cents":2}')]
  const done = await desk.enqueue('hello', '{"name":"x"}')
  const [one = '', two = ''] = ids
  await desk.work(one, two, done)
  const { out } = await desk.run('dead', 'list')
  expect(out).toContain('HANDLER_FAILED the card was \\x1b[31mdeclined')
  expect(out).not.toContain('\u001b')
  expect((await desk.json('dead', 'list', '--queue', 'none')).jobs).toEqual([])
  expect((await desk.json('dead', 'list', '--id', `${one},${two}`)).jobs).toHaveLength(2)
  expect((await desk.run('dead', 'show', one)).out).toMatch(
    /attempt 1, (now|\d+ s ago): HANDLER_FAILED Error: the card/,
  )
  expect(await desk.run('dead', 'show', done)).toMatchObject({
    code: 1,
    err: expect.stringContaining('is no dead letter'),
  })
  for (const act of ['redrive', 'purge'])
    expect(await desk.run('dead', act)).toMatchObject({ code: 2, err: expect.stringContaining('give --yes') })
  expect(await desk.json('dead', 'redrive', '--id', one, '--yes')).toEqual({ redriven: 1 })
  expect(await desk.json('dead', 'purge', '--task', 'hello', '--yes')).toEqual({ purged: 0 })
  expect(await desk.run('dead', 'purge', '--yes')).toMatchObject({ code: 0, out: 'purged 1\n' })
  expect(await desk.json('job', one)).toMatchObject({ state: 'queued', attempt: 0 })
  expect((await desk.run('job', two)).err).toContain('JOB_NOT_FOUND')
})

test('many dead letters are redriven in steps that are told on stderr', async () => {
  const desk = new Desk()
  const late = task('late', { input: z.null(), run() {} })
  const options = { deadline: new Date(Date.now() - 1000) }
  await using producer = offload({ url: desk.url, tasks: [late] })
  await producer.enqueueMany(
    late,
    Array.from({ length: 1200 }, () => ({ input: null, options })),
  )
  expect((await desk.json('depth')).queues).toMatchObject([{ queue: 'default', dead: 1200 }])
  const { out, err, code } = await desk.run('dead', 'purge', '--yes')
  expect([code, out, err]).toEqual([0, 'purged 1200\n', 'purging: 500 of 1200\npurging: 1000 of 1200\n'])
})

test('depth tells of every queue that was ever used, however many jobs of others are newer', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'a', '--queue', 'old', '--id', 'one')
  await desk.run('cancel', 'one')
  const crowd = task('crowd', { input: z.number(), run: () => {} })
  await using queue = offload({ url: `sqlite:${join(desk.folder, 'jobs.db')}`, tasks: [crowd] })
  await queue.enqueueMany(
    crowd,
    Array.from({ length: 300 }, (_, n) => ({ input: n })),
  )
  expect((await queue.queues()).map(({ queue: name }) => name)).toEqual(['default', 'old'])
  expect(await desk.json('depth')).toMatchObject({
    queues: [
      { queue: 'default', ready: 300 },
      { queue: 'old', ready: 0, dead: 0 },
    ],
  })
})

test('depth tells of the queues that are seen or named, and of a pause', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'a', '--queue', 'mail')
  await desk.run('enqueue', 'a', '--delay', '1h')
  expect((await desk.json('depth')).queues).toMatchObject([
    { queue: 'default', ready: 0, scheduled: 1 },
    { queue: 'mail', ready: 1, paused: false },
  ])
  expect(await desk.run('pause', 'mail', 'nmail')).toMatchObject({
    code: 0,
    out: 'paused mail\npaused nmail (it is empty: is that its name?)\n',
  })
  expect((await desk.run('depth', 'mail')).out).toMatch(/mail +1 +0 +0 +0 +\d+ m?s +paused/)
  expect(await desk.json('resume', 'mail')).toEqual({ resumed: ['mail'] })
  expect((await desk.json('depth', 'mail')).queues).toMatchObject([{ paused: false }])
})

test('cancel and retry tell what became of each job', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'a', '--id', 'one')
  expect(await desk.run('cancel', 'one')).toMatchObject({ code: 0, out: 'one  cancelled\n' })
  expect(await desk.run('cancel', 'one', 'none')).toMatchObject({
    code: 1,
    out: 'one  it has ended already\nnone  no such job is remembered\n',
  })
  const id = await desk.enqueue('charge', '{"cents":1}')
  await desk.work(id)
  expect(await desk.json('retry', id)).toEqual({ jobs: [{ id, verdict: 'queued' }] })
  const refused = await desk.run('retry', id, 'none', '--json')
  expect(refused.code).toBe(1)
  expect(JSON.parse(refused.out)).toEqual({
    jobs: [
      { id, verdict: 'refused' },
      { id: 'none', verdict: 'unknown' },
    ],
  })
})

test('watch follows a job to its end, and its exit code tells which', async () => {
  const desk = new Desk()
  const good = await desk.enqueue('hello', '{"name":"you"}')
  const bad = await desk.enqueue('charge', '{"cents":1}')
  const [watchGood, watchBad] = [
    desk.start(['watch', good, '--after', '0', '--json']),
    desk.start(['watch', bad, '--after', '0']),
  ]
  await watchGood.says('"accepted"')
  await watchBad.says('accepted')
  await desk.work(good, bad)
  const { code, out } = await watchGood.ended
  const events = out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  expect([code, events[0].type, events.at(-1)]).toEqual([
    0,
    'accepted',
    expect.objectContaining({ type: 'done', jobId: good, task: 'hello', at: ISO }),
  ])
  expect(await watchBad.ended).toMatchObject({
    code: 1,
    out: expect.stringMatching(/dead {7}.* in payments, attempt 1\n$/),
  })
  expect(await desk.run('watch', good)).toMatchObject({ code: 0, out: `${good} is done already\n` })
  const past = await desk.run('watch', good, '--after', '0')
  expect([past.code, past.out.split('\n')[0]]).toEqual([0, expect.stringContaining(`accepted   ${good}`)])
  expect(await desk.run('watch', good, '--after', '999999')).toMatchObject({
    code: 0,
    out: `${good} is done already\n`,
  })
  expect(await desk.run('watch', 'none')).toMatchObject({
    code: 1,
    err: expect.stringContaining('JOB_NOT_FOUND'),
  })
  expect(await desk.run('watch', good, '--queue', 'x')).toMatchObject({ code: 2 })
})

test('watch without an id follows all that fit, until it is ended', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'a', '--id', 'one')
  await desk.run('enqueue', 'b', '--id', 'two')
  const watching = desk.start(['watch', '--task', 'b', '--after', '0', '--json'])
  await watching.says('two')
  expect(watching.out).not.toContain('"one"')
  watching.child.kill('SIGINT')
  await watching.ended
})

test('the completion of bash completes commands, options and values', async () => {
  const desk = new Desk()
  const { out: script } = await desk.run('completion', 'bash')
  const complete = async (...words: string[]): Promise<string[]> => {
    const line = `${script}\nCOMP_WORDS=(offload ${words.map((word) => `'${word}'`).join(' ')}); COMP_CWORD=${words.length}; _offload; echo "\${COMPREPLY[@]}"`
    const { out, err } = await desk.spawn(['bash', '-c', line]).ended
    expect(err).toBe('')
    return out.trim().split(' ')
  }
  expect(await complete('jo')).toEqual(['jobs', 'job'])
  expect(await complete('dead', 're')).toEqual(['redrive'])
  expect(await complete('jobs', '--st')).toEqual(['--state'])
  expect(await complete('jobs', '--state', 'd')).toEqual(['done', 'dead'])
  expect(await complete('job', '--st')).toEqual([''])
  expect(await complete('sch')).toEqual(['schedules'])
  expect(await complete('schedules', 're')).toEqual(['resume', 'remove'])
  expect(await complete('schedules', '--li')).toEqual(['--limit'])
  expect(await complete('schedules', '--json', '--li')).toEqual(['--limit'])
  expect(await complete('schedules', 'run', '--mo')).toEqual(['--module'])
  for (const shell of ['zsh', 'fish']) expect((await desk.run('completion', shell)).out).toContain('redrive')
  expect(await desk.run('completion', 'tcsh')).toMatchObject({ code: 2 })
})

test('a warning of Node about what is experimental is kept from stderr, others are not', async () => {
  const desk = new Desk()
  writeFileSync(
    join(desk.folder, 'warns.mjs'),
    `process.emitWarning('new', 'ExperimentalWarning'); process.emitWarning('old', 'DeprecationWarning')\nexport { default } from ${JSON.stringify(ownQueue)}\n`,
  )
  const worker = desk.start(['work', './warns.mjs'])
  await worker.says('working on')
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0, err: 'DeprecationWarning: old\n' })
})
