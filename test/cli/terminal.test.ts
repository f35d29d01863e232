import { spawnSync } from 'node:child_process'
import { expect, test } from 'vitest'
import type { Running } from './program.ts'
import { Desk, program, scheduled, tasks } from './program.ts'

const hasScript = spawnSync('script', ['-qec', 'true', '/dev/null']).status === 0
if (!hasScript)
  console.warn('SKIPPED: test/cli/terminal.test.ts needs `script` of util-linux to make a terminal')

/** Runs the program on a terminal of its own; what it shows comes as `out`. */
function onTerminal(
  desk: Desk,
  words: readonly string[],
  env: Record<string, string | undefined> = {},
): Running {
  // `exec`: a dash that waits for the program would end by the Ctrl-C meant for it, and the code be its own.
  const command = ['exec', ...[...program, ...words].map((word) => `'${word}'`)].join(' ')
  return desk.spawn(['script', '-qec', command, '/dev/null'], { TERM: 'xterm', NO_COLOR: undefined, ...env })
}

async function withDeadLetter(): Promise<{ desk: Desk; id: string }> {
  const desk = new Desk()
  const id = await desk.enqueue('charge', '{"cents":1}')
  await desk.work(id)
  return { desk, id }
}

test.skipIf(!hasScript)('a terminal gets colours, unless NO_COLOR is set or it is dumb', async () => {
  const { desk } = await withDeadLetter()
  const shown = async (env: Record<string, string>): Promise<string> =>
    (await onTerminal(desk, ['jobs'], env).ended).out
  expect(await shown({})).toContain('\u001b[31mdead\u001b[39m')
  for (const env of [{ NO_COLOR: '1' }, { TERM: 'dumb' }]) {
    const out = await shown(env)
    expect(out).toContain('dead')
    expect(out).not.toContain('\u001b')
  }
})

test.skipIf(!hasScript)('what a job holds cannot steer the terminal', async () => {
  const { desk, id } = await withDeadLetter()
  for (const words of [
    ['dead', 'list'],
    ['dead', 'show', id],
    ['job', id, '--json'],
  ]) {
    const { out } = await onTerminal(desk, words, { NO_COLOR: '1' }).ended
    expect(out).toContain('declined')
    expect(out).not.toContain('\u001b')
  }
})

test.skipIf(!hasScript)('a terminal is asked before a schedule is removed', async () => {
  const desk = await scheduled()
  for (const answer of ['n\n', '\u0004']) {
    const asked = onTerminal(desk, ['schedules', 'remove', 'hello.hourly'])
    await asked.says('remove schedule hello.hourly? [y/N]')
    asked.child.stdin.write(answer)
    expect(await asked.ended).toMatchObject({ code: 1, out: expect.stringContaining('nothing was done') })
    expect(await desk.json('schedules', 'show', 'hello.hourly')).toMatchObject({ name: 'hello.hourly' })
  }
  const asked = onTerminal(desk, ['schedules', 'remove', 'hello.hourly'])
  await asked.says('[y/N]')
  asked.child.stdin.write('y\n')
  expect(await asked.ended).toMatchObject({ code: 0, out: expect.stringContaining('removed hello.hourly') })
  expect(await desk.run('schedules', 'show', 'hello.hourly')).toMatchObject({ code: 1 })
})

test.skipIf(!hasScript)('a terminal is asked before dead letters are purged, and shown a bar', async () => {
  const { desk, id } = await withDeadLetter()
  for (const answer of ['n\n', '\n', '\u0004']) {
    const asked = onTerminal(desk, ['dead', 'purge'])
    await asked.says('purge 1 dead letter of all queues? [y/N]')
    asked.child.stdin.write(answer)
    expect(await asked.ended).toMatchObject({ code: 1, out: expect.stringContaining('nothing was done') })
    expect(await desk.json('job', id)).toMatchObject({ state: 'dead' })
  }
  const asked = onTerminal(desk, ['dead', 'purge', '--task', 'charge'])
  await asked.says('purge 1 dead letter of task charge? [y/N]')
  asked.child.stdin.write('yes\n')
  const { code, out } = await asked.ended
  expect([code, out]).toEqual([0, expect.stringContaining(`purging [${'#'.repeat(30)}] 1 of 1`)])
  expect(out).toMatch(/purged 1\r\n$/)
  expect((await desk.run('job', id)).code).toBe(1)
})

test.skipIf(!hasScript)('Ctrl-C stops a worker on a terminal', async () => {
  const desk = new Desk()
  const worker = onTerminal(desk, ['work', tasks])
  await worker.says('working on')
  worker.child.stdin.write('\u0003')
  expect(await worker.ended).toMatchObject({
    code: 0,
    out: expect.stringMatching(/SIGINT: stopping, 0 running[\s\S]*stopped\r\n$/),
  })
})
