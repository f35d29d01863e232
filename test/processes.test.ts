import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as wait } from 'node:timers/promises'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { expect, test } from 'vitest'
import { percentile } from '../lab/outside.ts'
import { count, Scene } from '../lab/scene.ts'
import { offload, task } from '../src/index.ts'

/** 120 for the figure over two minutes. */
const seconds = Number(process.env.OFFLOAD_PROCESSES_SECONDS ?? 6)
const IDLE_SECONDS = 3
const PROBES = 30

const anything: StandardSchemaV1<null, null> = {
  '~standard': { version: 1, vendor: 'test', validate: () => ({ value: null }) },
}
const job = task('crash.job', { input: anything, run() {} })

async function cpuMs(child: ChildProcess): Promise<number> {
  const answer = once(child, 'message') as Promise<[NodeJS.CpuUsage]>
  child.send('usage')
  const [{ user, system }] = await answer
  return (user + system) / 1000
}

/** Milliseconds from the call, and from its acceptance, to the start in another process. */
async function wakeUps(scene: Scene): Promise<{ called: number[]; accepted: number[] }> {
  await using queue = offload({ url: `sqlite:${scene.file}`, tasks: [job] })
  const now = (): number => performance.timeOrigin + performance.now()
  const times = new Map<string, [called: number, accepted: number]>()
  for (let probe = 0; probe < PROBES; probe++) {
    const called = now()
    const handle = await queue.enqueue(job, null, { id: `probe-${probe}` })
    times.set(handle.id, [called, now()])
    await handle.result({ timeout: '10s' })
    await wait(20)
  }
  const starts = scene.outside.read().filter(({ kind, id }) => kind === 'S' && times.has(id))
  const since = (which: 0 | 1): number[] =>
    starts.map(({ id, at }) => at - (times.get(id)?.[which] ?? 0)).sort((a, b) => a - b)
  return { called: since(0), accepted: since(1) }
}

test(
  'two producers and three workers in processes of their own share one file: nothing is lost, each job is done once, no error is told',
  async () => {
    await using scene = new Scene()
    const workers = [1, 2, 3].map(() =>
      scene.start({ role: 'work', leaseMs: 5000, concurrency: 10, runMs: 5 }),
    )
    const producers = ['a', 'b'].map((name) =>
      scene.start({ role: 'produce', name, jobs: Number.MAX_SAFE_INTEGER, seconds, pauseMs: 20 }),
    )
    expect(await Promise.all(producers.map(({ ended }) => ended))).toEqual([0, 0])
    const result = await count(scene)
    const perWorker = workers.map(
      ({ child }) => result.lines.filter(({ kind, pid }) => kind === 'D' && pid === child.pid).length,
    )
    console.log(
      `processes: ${seconds} s, jobs ${result.jobs}, lost ${result.lost.length}, finished twice ${result.finishedTwice.length}, stuck ${result.stuck ? 'yes' : 0}, run more than once ${result.ranAgain}, warnings and errors ${result.errors.length}, done by each worker ${perWorker.join(', ')}`,
    )
    expect(result.errors).toEqual([])
    expect(result.stuck).toBe(false)
    expect(result.lost).toEqual([])
    expect(result.finishedTwice).toEqual([])
    expect(result.ranAgain).toBe(0)
    expect([...result.jobsById.values()].filter(({ state }) => state !== 'done')).toEqual([])

    const [one] = workers
    if (one === undefined) throw new Error('no worker')
    const before = await cpuMs(one.child)
    await wait(IDLE_SECONDS * 1000)
    const idle = (await cpuMs(one.child)) - before
    const { called, accepted } = await wakeUps(scene)
    const shown = (times: readonly number[]): string =>
      `p50 ${percentile(times, 0.5)?.toFixed(1)} max ${times.at(-1)?.toFixed(1)} ms`
    console.log(
      `processes: an idle worker process uses ${(idle / IDLE_SECONDS / 10).toFixed(2)} % of a core; from the call of enqueue to the start in another process ${shown(called)}, from its acceptance ${shown(accepted)}`,
    )

    for (const { child } of workers) child.send('stop')
    expect(await Promise.all(workers.map(({ ended }) => ended))).toEqual([0, 0, 0])
  },
  (seconds + 60) * 1000,
)
