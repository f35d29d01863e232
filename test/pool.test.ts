import { spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { Outside, repeated } from '../lab/outside.ts'
import type { Plan } from '../src/autoscale/policy/policy.ts'
import type { PoolEvent } from '../src/autoscale/pool/pool.ts'
import { Pool } from '../src/autoscale/pool/pool.ts'
import { POOL_MARK } from '../src/cli/pool-worker.ts'
import { systemClock } from '../src/clock.ts'
import { offload } from '../src/index.ts'
import type { Ended, Running } from './cli/program.ts'
import { Desk, program } from './cli/program.ts'
import { held, noted } from './fixtures/cli/pool-tasks.ts'

const fixture = (name: string): string => join(import.meta.dirname, `fixtures/cli/${name}.ts`)

interface Told {
  readonly event: string
  readonly health?: string
  readonly worker?: number | undefined
  readonly pid?: number
  readonly [field: string]: unknown
}

/** A pool of worker processes on a queue of its own, and a ledger outside of it. */
class Scene {
  readonly desk = new Desk()
  readonly outside = new Outside(join(this.desk.folder, 'outside.log'))

  start(module: string, ...words: string[]): Running {
    const env = { OUTSIDE: this.outside.path }
    return this.desk.start(['work', fixture(module), '--json', ...words], env)
  }

  /** Queues jobs; answers their ids. */
  async queue(count: number, ms: number): Promise<string[]> {
    await using queue = offload({ url: this.desk.url, tasks: [noted] })
    const answers = await queue.enqueueMany(
      noted,
      Array.from({ length: count }, () => ({ input: { ms } })),
    )
    return answers.flatMap((one) => (one.status === 'accepted' ? one.handle.id : []))
  }

  /** A pool in this process, of real worker processes; however busy this host is. */
  async pool(plan: Plan): Promise<{ events: PoolEvent[]; stop: () => Promise<void> }> {
    const queue = offload({ url: this.desk.url, tasks: [noted] })
    const events: PoolEvent[] = []
    const [command = '', ...words] = program
    const env = { ...process.env, OUTSIDE: this.outside.path, OFFLOAD_URL: this.desk.url, [POOL_MARK]: '1' }
    const pool = new Pool({
      plan,
      rules: { graceMs: 25_000, startMs: 60_000 },
      fork: () =>
        spawn(command, [...words, 'work', fixture('pool-tasks'), '--concurrency', String(plan.slots)], {
          env,
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        }),
      depths: async () => [await queue.depth('default')],
      tell: (event) => void events.push(event),
      host: () => undefined,
      clock: systemClock,
      random: Math.random,
    })
    onTestFinished(() => pool.kill())
    const running = pool.run()
    const stop = async (): Promise<void> => {
      pool.stop()
      await running
      await queue.close()
    }
    return { events, stop }
  }

  /** Each job was started once, at its first attempt, and is done. */
  async expectDone(ids: readonly string[]): Promise<void> {
    await this.desk.peek(async (queue) => {
      for (const id of ids) await queue.result(id)
      for (const id of ids) expect(await queue.get(id)).toMatchObject({ state: 'done', attempt: 1 })
    })
    expect(repeated(this.outside.ids('S'))).toEqual([])
    expect(this.outside.ids('E').sort()).toEqual([...ids].sort())
  }

  async queueHeld(): Promise<{ id: string; file: string }> {
    const file = join(this.desk.folder, 'go')
    await using queue = offload({ url: this.desk.url, tasks: [held] })
    const { id } = await queue.enqueue(held, { file })
    return { id, file }
  }
}

function told({ out }: { readonly out: string }): Told[] {
  const lines = out.split('\n').slice(0, -1)
  return lines.map((line) => JSON.parse(line) as Told)
}

/** Waits until so many events fit; fails when the program ends without. */
async function until(running: Running, count: number, fits: Partial<Told>): Promise<Told[]> {
  let ended: Ended | undefined
  void running.ended.then((end) => {
    ended = end
  })
  for (;;) {
    const isOver = ended !== undefined
    const found = told(running).filter((one) =>
      Object.entries(fits).every(([name, value]) => one[name] === value),
    )
    if (found.length >= count) return found
    if (isOver) throw new Error(`it ended without ${JSON.stringify(fits)}: ${running.out}${running.err}`)
    await wait(20)
  }
}

async function untilGone(pid: number | undefined): Promise<void> {
  for (;;) {
    try {
      process.kill(pid ?? 0, 0)
    } catch {
      return
    }
    await wait(20)
  }
}

test('a surge gets more workers, each step with its reason, and fewer once it is over; none is killed and no attempt is spent', async () => {
  const scene = new Scene()
  const { events, stop } = await scene.pool({ min: 1, max: 3, slots: 2, targetAgeMs: 200, lingerMs: 1000 })
  const ids = await scene.queue(200, 100)
  const named = (event: PoolEvent['event']) => events.filter((one) => one.event === event)
  while (named('working').length < 3) await wait(20)
  expect(named('scaled')[0]).toMatchObject({ from: 1, reason: 'age', text: expect.stringMatching(/\d/) })
  await scene.desk.peek(async (queue) => {
    for (const id of ids) await queue.result(id)
  })
  while (named('ended').length < 2) await wait(20)
  expect(named('scaled').at(-1)).toMatchObject({ to: 1, reason: 'spare' })
  await stop()
  expect([...named('killed'), ...named('crashed')]).toEqual([])
  await scene.expectDone(ids)
}, 60_000)

test('at a signal all workers drain: what runs ends, the rest waits for others, nothing is lost and no attempt is spent', async () => {
  const scene = new Scene()
  const ids = await scene.queue(300, 100)
  const pool = scene.start('pool-tasks', '--min', '3', '--max', '3', '--concurrency', '2')
  await until(pool, 3, { event: 'working' })
  while (scene.outside.ids('E').length < 30) await wait(20)
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
  expect(told(pool).map(({ event }) => event)).toEqual(
    expect.arrayContaining(['started', 'stopping', 'stopped']),
  )
  expect(told(pool).filter(({ event }) => event === 'ended')).toHaveLength(3)
  const begun = scene.outside.ids('S')
  expect(begun.length).toBeLessThan(ids.length)
  expect(scene.outside.ids('E').sort()).toEqual(begun.sort())
  const rest = scene.start('pool-tasks', '--concurrency', '300')
  await scene.expectDone(ids)
  rest.child.kill('SIGTERM')
  await rest.ended
}, 60_000)

test('a worker that crashes is replaced, and its job runs again', async () => {
  const scene = new Scene()
  const file = join(scene.desk.folder, 'fell')
  const pool = scene.start('pool-tasks', '--min', '2', '--max', '2', '--lease', '1s')
  await until(pool, 2, { event: 'working' })
  const { id } = await scene.desk.json(
    'enqueue',
    'fatal',
    JSON.stringify({ file }),
    '--module',
    fixture('pool-tasks'),
  )
  const [crash] = await until(pool, 1, { event: 'crashed' })
  expect(crash).toMatchObject({ signal: 'SIGKILL', crashes: 1, isLoop: false, retryInMs: expect.any(Number) })
  await until(pool, 2, { event: 'working', worker: crash?.worker })
  expect(await scene.desk.until(id, 'done')).toMatchObject({ result: 'survived', attempt: 2 })
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('one worker ended by hand drains, and another takes its place', async () => {
  const scene = new Scene()
  const { id, file } = await scene.queueHeld()
  const pool = scene.start('pool-tasks', '--min', '1', '--max', '1')
  const [first] = await until(pool, 1, { event: 'working' })
  await scene.desk.until(id, 'running')
  process.kill(first?.pid ?? 0, 'SIGTERM')
  writeFileSync(file, '')
  expect(await until(pool, 1, { event: 'crashed' })).toMatchObject([{ code: 0, pid: first?.pid }])
  await until(pool, 2, { event: 'working' })
  expect(await scene.desk.until(id, 'done')).toMatchObject({ result: first?.pid, attempt: 1 })
  pool.child.kill('SIGTERM')
  await pool.ended
}, 60_000)

test('workers that fall again and again are a crash loop: told, waited longer for each time, and not the end of the pool', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-frail', '--min', '1', '--max', '1')
  const loops = await until(pool, 2, { event: 'crashed', isLoop: true })
  const crashes = told(pool).filter(({ event }) => event === 'crashed')
  expect(crashes.map((one) => one.crashes)).toEqual(crashes.map((_, nth) => nth + 1))
  expect(loops[0]).toMatchObject({ crashes: 3, code: 7 })
  for (const { crashes: nth, retryInMs } of crashes) {
    expect(retryInMs).toBeGreaterThanOrEqual(250 * 2 ** (Number(nth) - 1))
    expect(retryInMs).toBeLessThanOrEqual(500 * 2 ** (Number(nth) - 1))
  }
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('the metrics of a pool are those of all its processes, and what those counted that ended stays', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-tasks', '--min', '2', '--max', '2', '--concurrency', '2', '--health', '0')
  const [first] = await until(pool, 2, { event: 'working' })
  await scene.expectDone(await scene.queue(40, 20))
  process.kill(first?.pid ?? 0, 'SIGTERM')
  await until(pool, 3, { event: 'working' })
  const [{ health } = {}] = await until(pool, 1, { event: 'started' })
  const read = async (accept: string) => (await fetch(`${health}/metrics`, { headers: { accept } })).text()
  for (const accept of ['text/plain', 'application/openmetrics-text']) {
    const page = await read(accept)
    expect(page).toContain('offload_attempts_total{queue="default",task="noted",outcome="done"} 40\n')
    expect(page).toContain('offload_job_run_seconds_count{queue="default",task="noted"} 40\n')
    expect(page).toContain('offload_worker_slots 4\n')
    expect(page).toContain('offload_queue_jobs{queue="default",state="ready"} 0\n')
  }
  expect((await fetch(`${health}/readyz`)).status).toBe(200)
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('a pool that drains is not ready', async () => {
  const scene = new Scene()
  const { file } = await scene.queueHeld()
  const pool = scene.start('pool-tasks', '--min', '1', '--max', '1', '--health', '0')
  const [{ health } = {}] = await until(pool, 1, { event: 'started' })
  const readyz = async () => (await fetch(`${health}/readyz`)).text()
  while (scene.outside.ids('S').length === 0) await wait(20)
  expect(await readyz()).toBe('ok\n')
  pool.child.kill('SIGTERM')
  await until(pool, 1, { event: 'stopping' })
  expect(await readyz()).toContain('it is stopping, and takes nothing more')
  writeFileSync(file, '')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('a metric that throws harms no worker: what the others counted is told', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-metric', '--min', '2', '--max', '2', '--health', '0')
  await until(pool, 2, { event: 'working' })
  const [{ health } = {}] = await until(pool, 1, { event: 'started' })
  for (let nth = 0; nth < 3; nth++) expect((await fetch(`${health}/metrics`)).status).toBe(200)
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
  expect(told(pool).filter(({ event }) => event === 'crashed')).toEqual([])
}, 60_000)

test('a pool in which nobody works is not ready, and says why', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-frail', '--min', '1', '--max', '1', '--health', '0')
  await until(pool, 1, { event: 'crashed', isLoop: true })
  const [{ health } = {}] = await until(pool, 1, { event: 'started' })
  await vi.waitFor(
    async () => {
      const answer = await fetch(`${health}/readyz`)
      expect([answer.status, await answer.json()]).toEqual([
        503,
        expect.objectContaining({
          detail: 'no worker process is at work: 1 of 1 crashed, and are started again',
        }),
      ])
    },
    { timeout: 10_000, interval: 100 },
  )
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('when no worker can ever start, the pool says why and ends with 1', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-stillborn', '--min', '2', '--max', '2')
  const { code, err } = await pool.ended
  expect(code).toBe(1)
  expect(err).toContain('no licence for this host')
  expect(err).toContain('WORKER_CRASHED')
  expect(told(pool).filter(({ event }) => event === 'crashed').length).toBeLessThanOrEqual(6)
}, 60_000)

test('a pool that is killed leaves no worker behind: each ends what it runs, and then itself', async () => {
  const scene = new Scene()
  const { id, file } = await scene.queueHeld()
  const pool = scene.start('pool-tasks', '--min', '2', '--max', '2', '--timeout', '10m')
  const workers = await until(pool, 2, { event: 'working' })
  while (scene.outside.ids('S').length === 0) await wait(20)
  pool.child.kill('SIGKILL')
  const idle = workers.filter(({ pid }) => !scene.outside.read().some((line) => line.pid === pid))
  for (const { pid } of idle) await untilGone(pid)
  writeFileSync(file, '')
  for (const { pid } of workers) await untilGone(pid)
  expect(await scene.desk.until(id, 'done')).toMatchObject({ attempt: 1 })
}, 60_000)

test('a worker that heeds nothing is killed when its grace is over, and told', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-tasks', '--min', '1', '--max', '1', '--timeout', '100ms', '--lease', '1s')
  await until(pool, 1, { event: 'working' })
  await scene.desk.json('enqueue', 'deaf', 'null', '--module', fixture('pool-tasks'))
  while (scene.outside.ids('S').length === 0) await wait(20)
  pool.child.kill('SIGTERM')
  await until(pool, 1, { event: 'killed', phase: 'retiring' })
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('with --min 0 no worker runs until there is a job', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-tasks', '--min', '0', '--max', '1')
  await until(pool, 1, { event: 'started' })
  expect(told(pool).filter(({ event }) => event === 'working')).toEqual([])
  const [id = ''] = await scene.queue(1, 1)
  expect(await scene.desk.until(id, 'done')).toMatchObject({ attempt: 1 })
  expect(await until(pool, 1, { event: 'scaled' })).toMatchObject([{ from: 0, to: 1 }])
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('with --min 0 the ticks of schedules make jobs, and those a worker', async () => {
  const scene = new Scene()
  const pool = scene.start('pool-scheduled', '--min', '0', '--max', '1')
  while (scene.outside.ids('E').length === 0) await wait(20)
  pool.child.kill('SIGTERM')
  expect(await pool.ended).toMatchObject({ code: 0 })
}, 60_000)

test('a second signal ends the pool and its workers at once', async () => {
  const scene = new Scene()
  const { id } = await scene.queueHeld()
  const pool = scene.start('pool-tasks', '--min', '1', '--max', '1')
  const [worker] = await until(pool, 1, { event: 'working' })
  await scene.desk.until(id, 'running')
  while (pool.child.exitCode === null) {
    pool.child.kill('SIGTERM')
    await wait(50)
  }
  expect(await pool.ended).toMatchObject({ code: 143 })
  await untilGone(worker?.pid)
  expect(existsSync(join(scene.desk.folder, 'go'))).toBe(false)
}, 60_000)

test('what makes no sense is refused before anything starts', async () => {
  const { desk } = new Scene()
  const tasks = fixture('pool-tasks')
  for (const [words, why] of [
    [['--min', '3', '--max', '2'], 'min 3 must not be above max 2'],
    [['--max', '0'], 'max must be a whole number from 1'],
    [['--target-age', '1s'], '--target-age is what a number of processes is chosen by'],
    [['--max', '2', '--url', 'memory:'], 'lives and ends with one process'],
  ] as const) {
    const { code, err } = await desk.run('work', tasks, ...words)
    expect([code, err]).toEqual([2, expect.stringContaining(why)])
  }
})
