import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { Desk, ownQueue, tasks } from './program.ts'

async function runningJob(desk: Desk): Promise<{ id: string; file: string }> {
  const file = join(desk.folder, 'go')
  const id = await desk.enqueue('until-file', JSON.stringify({ file }))
  return { id, file }
}

test('a signal lets a running job end, and it is done', async () => {
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const desk = new Desk()
    const { id, file } = await runningJob(desk)
    const worker = desk.start(['work', tasks])
    await desk.until(id, 'running')
    const { worker: holder } = await desk.json('job', id)
    expect(holder).toContain(String(worker.child.pid))
    worker.child.kill(signal)
    await worker.says(`${signal}: stopping, 1 running; again to end at once`)
    writeFileSync(file, '')
    expect(await worker.ended).toMatchObject({ code: 0, out: expect.stringMatching(/stopped\n$/) })
    expect(await desk.until(id, 'done')).toMatchObject({ result: 'there it is', attempt: 1 })
  }
})

test('what does not end in time is given back and costs no attempt', async () => {
  const desk = new Desk()
  const { id } = await runningJob(desk)
  const worker = desk.start(['work', tasks, '--timeout', '50ms', '--json'])
  await desk.until(id, 'running')
  worker.child.kill('SIGTERM')
  const { code, out } = await worker.ended
  expect(code).toBe(0)
  expect(
    out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).event),
  ).toEqual(['started', 'stopping', 'stopped'])
  expect(await desk.until(id, 'queued')).toMatchObject({ attempt: 0 })
})

test('a second signal ends it at once', async () => {
  for (const [signal, code] of [
    ['SIGTERM', 143],
    ['SIGINT', 130],
  ] as const) {
    const desk = new Desk()
    const { id } = await runningJob(desk)
    const worker = desk.start(['work', tasks])
    await desk.until(id, 'running')
    while (worker.child.exitCode === null) {
      worker.child.kill(signal)
      await wait(50)
    }
    expect(await worker.ended).toMatchObject({ code, err: 'ended by force\n' })
    expect(await desk.json('job', id)).toMatchObject({ state: 'running', attempt: 1 })
  }
})

test('it works on the queues that are named, and says when no task goes there', async () => {
  const desk = new Desk()
  const id = await desk.enqueue('hello', '{"name":"x"}')
  const worker = desk.start(['work', tasks, '--queues', 'default,paymnets', '--concurrency', '3'])
  await desk.until(id, 'done')
  worker.child.kill('SIGTERM')
  const { out, err } = await worker.ended
  expect(out).toContain('working on default, paymnets, 3 at once')
  expect(err).toBe('warning: no task of the module goes to queue paymnets; did you mean "payments"?\n')
})

test('it goes on when nobody reads what it prints', async () => {
  const desk = new Desk()
  const worker = desk.start(['work', tasks])
  worker.child.stdout.destroy()
  const id = await desk.enqueue('hello', '{"name":"x"}')
  await desk.until(id, 'done')
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0 })
})

test('a queue that the module exports is worked on with its own url', async () => {
  const desk = new Desk()
  await desk.run('enqueue', 'hello', '{"name":"own"}', '--id', 'a', '--module', ownQueue)
  const worker = desk.start(['work', ownQueue])
  await worker.says("the module's own queue")
  const watched = await desk.run('watch', 'a', '--url', 'sqlite:own.db')
  expect(watched.code).toBe(0)
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0, err: '' })
})

test('a package is found from where the program is called, by its import condition', async () => {
  const desk = new Desk()
  const folder = join(desk.folder, 'node_modules/jobs-of-ours')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, 'package.json'),
    '{ "name": "jobs-of-ours", "type": "module", "exports": { ".": { "import": "./index.js" } } }',
  )
  writeFileSync(
    join(folder, 'index.js'),
    `import { hello } from ${JSON.stringify(tasks)}\nexport default [{ ...hello, name: 'ours', run: () => 'ours ran' }]\n`,
  )
  const { id } = await desk.json('enqueue', 'ours', '{"name":"x"}', '--module', 'jobs-of-ours')
  const worker = desk.start(['work', 'jobs-of-ours'])
  expect(await desk.until(id, 'done')).toMatchObject({ result: 'ours ran' })
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0 })
})

test('trouble of the backend is told on stderr, and so is its end', async () => {
  const desk = new Desk()
  const { id, file } = await runningJob(desk)
  const worker = desk.start(['work', tasks])
  await desk.until(id, 'running')
  const other = new DatabaseSync(join(desk.folder, 'jobs.db'), { timeout: 5000 })
  other.exec('begin immediate')
  writeFileSync(file, '')
  await worker.says('error: the backend cannot be reached; trying again until it can')
  other.exec('rollback')
  other.close()
  await desk.until(id, 'done')
  await desk.enqueue('hello', '{"name":"x"}')
  await worker.says('warning: the backend is reached again')
  worker.child.kill('SIGTERM')
  expect(await worker.ended).toMatchObject({ code: 0 })
})

test('a worker whose queue cannot be opened at the start fails', async () => {
  const desk = new Desk()
  const { code, err } = await desk.run('work', tasks, '--url', 'sqlite:none/jobs.db')
  expect([code, err]).toEqual([1, expect.stringContaining('BACKEND_UNAVAILABLE')])
})
