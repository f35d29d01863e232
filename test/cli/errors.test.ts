import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Desk, tasks } from './program.ts'

test('a wrong command line ends with 2 and says what is near or needed', async () => {
  const desk = new Desk()
  const wrong: [line: string, says: string][] = [
    ['jbos', 'did you mean "jobs"?'],
    ['dead', 'needs one of list, show, redrive, purge'],
    ['dead lsit', 'did you mean "list"?'],
    ['schedules psaue x', 'did you mean "pause"?'],
    ['schedules show', 'needs <name>'],
    ['schedules next a --count many', '--count must be a whole number'],
    ['schedules --limit 5000', 'from 1 to 1000'],
    ['schedules run a', 'name the module that exports it, --module ./tasks.ts'],
    ['schedules remove a', 'give --yes'],
    ['xyzzy', 'there is no command "offload xyzzy"; `offload` alone lists them'],
    ['jobs --stat dead', 'did you mean "--state"?'],
    ['jobs --state deda', 'did you mean "dead"?'],
    ['jobs --state --json', '--state needs a value'],
    ['jobs --limit many', '--limit must be a whole number, not "many"'],
    ['jobs --limit 5000', 'from 1 to 1000'],
    ['jobs --from yesterday', 'or how long ago, such as 2h'],
    ['jobs --json=yes', '--json takes no value'],
    ['jobs extra', 'takes no "extra"'],
    ['job', 'needs <id>'],
    ['job a b', 'takes <id> and no "b"'],
    ['pause', 'needs <queue...>'],
    ['pause a/b', 'queue name "a/b" cannot be used'],
    ['--url x jobs', 'the command comes first'],
    ['enqueue a b/c', 'is no JSON'],
    ['enqueue a/b', 'task name "a/b" cannot be used'],
    ['enqueue a --id /', 'ID_INVALID'],
    ['enqueue a --priority 10', 'OPTION_INVALID'],
    ['enqueue a --delay soon', '--delay must be milliseconds or a duration'],
    ['jobs --url memory:', 'lives and ends with one process'],
    ['jobs --url nothing', 'this release knows'],
    ['enqueue a --url oracle:x', 'this release knows'],
  ]
  await desk.peek((queue) => queue.ready())
  for (const [line, says] of wrong) {
    const { code, err } = await desk.run(...line.split(' '))
    expect([line, code, err]).toEqual([line, 2, expect.stringContaining(says)])
  }
})

test('an error for machines is one JSON object on stderr, and nothing is on stdout', async () => {
  const desk = new Desk()
  await desk.peek((queue) => queue.ready())
  const { code, out, err } = await desk.run('job', 'none', '--json')
  expect([code, out]).toEqual([1, ''])
  expect(JSON.parse(err)).toEqual({
    code: 'JOB_NOT_FOUND',
    message: 'no job "none" is remembered',
    docs: 'docs/reference/errors.md#job_not_found',
  })
  const usage = await desk.run('jobs', '--json', '--nope')
  expect([usage.code, JSON.parse(usage.err).code]).toEqual([2, 'USAGE_INVALID'])
})

test('to look at a file that is not there makes none', async () => {
  const desk = new Desk()
  for (const command of [
    ['jobs'],
    ['depth'],
    ['schedules'],
    ['job', 'x'],
    ['pause', 'x'],
    ['dead', 'purge', '--yes'],
  ]) {
    const { code, err } = await desk.run(...command)
    expect([code, err]).toEqual([1, expect.stringContaining('there is no file')])
  }
  await expect(desk.run('doctor', '--json')).resolves.toMatchObject({ code: 0 })
  const { out } = await desk.spawn(['ls', '-A']).ended
  expect(out).toBe('')
})

test('without a url it says where one is looked for', async () => {
  const running = new Desk().start(['jobs'], { OFFLOAD_URL: undefined })
  expect(await running.ended).toMatchObject({
    code: 2,
    err: expect.stringContaining('--url sqlite:offload.db, or OFFLOAD_URL'),
  })
})

test('a secret in a url is never shown', async () => {
  const desk = new Desk()
  const url = 'redis://user:p@ss/word@host:1/0?token=hunter2'
  for (const command of [
    ['jobs'],
    ['doctor'],
    ['doctor', '--json'],
    ['work', tasks],
    ['enqueue', 'a', '--json'],
  ]) {
    const { out, err } = await desk.run(...command, '--url', url)
    expect(out + err, command.join(' ')).not.toMatch(/p@ss|word@|hunter2/)
  }
})

test('a module that cannot be used says why and, where it threw, in which line', async () => {
  const desk = new Desk()
  writeFileSync(join(desk.folder, 'throws.ts'), 'const n: number = 1\nthrow new Error("bad " + n)\n')
  writeFileSync(join(desk.folder, 'lacks.ts'), "import './lacked.ts'\n")
  writeFileSync(join(desk.folder, 'empty.ts'), 'export const none = 1\n')
  writeFileSync(join(desk.folder, 'typed.ts'), 'enum A { B }\nexport default A\n')
  const cases: [module: string, says: RegExp][] = [
    ['./none.ts', /\.\/none\.ts cannot be loaded: Cannot find module .*name a file, e\.g\. \.\/tasks\.ts/],
    [
      'no-such-package',
      /no-such-package cannot be loaded: Cannot find package 'no-such-package' \(seen from/,
    ],
    ['./throws.ts', /cannot be loaded: bad 1 [\s\S]*throws\.ts:2/],
    ['./lacks.ts', /Cannot find module '.*lacked\.ts' imported from .*lacks\.ts/],
    ['./empty.ts', /exports no task: export what task\(\) made/],
    ['./typed.ts', /cannot be loaded: .*enum/],
  ]
  for (const [module, says] of cases) {
    const { code, err } = await desk.run('work', module)
    expect([code, err]).toEqual([1, expect.stringMatching(says)])
    expect(err).toContain('MODULE_INVALID')
  }
  const near = await desk.run('enqueue', 'helo', '--module', tasks)
  expect([near.code, near.err]).toEqual([1, expect.stringContaining('did you mean "hello"?')])
  const both = await desk.run('enqueue', 'hello', '--module', tasks, '--queue', 'x')
  expect([both.code, both.err]).toEqual([
    2,
    expect.stringContaining('--queue is for a task without --module'),
  ])
})

test('a reader that goes away ends it quietly', async () => {
  const desk = new Desk()
  for (const id of ['a', 'b', 'c']) await desk.run('enqueue', 'x', '--id', id)
  const running = desk.start(['watch', '--after', '0', '--json'])
  running.child.stdout.once('data', () => running.child.stdout.destroy())
  await desk.until('c', 'queued')
  // It learns that nobody reads when it has the next thing to tell.
  while (running.child.exitCode === null) await desk.run('enqueue', 'x')
  expect(await running.ended).toMatchObject({ code: 0, err: '' })
})
