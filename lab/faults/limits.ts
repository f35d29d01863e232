import { died, measured, silent, uncoded } from '../checks.ts'
import { howMany, trueNow } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import { Broker } from '../storm.ts'
import type { Finding, Setting } from './fault.ts'
import { again, kept, withMutant } from './fault.ts'

const LEASE_MS = 1000
const FILES = 64

/** A worker that has no file descriptor left when it opens its store, and none when it has to connect again. */
export async function noFiles(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 200 : 40
  await using server = await Broker.start(setting.random)
  await using scene = new Scene()
  const own = { ...withMutant(setting), brokerPort: server.port }
  const limited = ['sh', '-c', `ulimit -n ${FILES} && exec "$0" "$@"`]
  const work = { ...own, role: 'work', leaseMs: LEASE_MS, watched: true } as const
  const worker = scene.start({ ...work, takesFiles: true }, [], limited)
  await scene.start({ ...own, role: 'produce', jobs, pauseMs: 0 }).ended
  const isDegraded = (since: number) =>
    scene.sees(
      (lines) => lines.some(({ kind, id, at }) => kind === 'H' && id === 'degraded' && at >= since),
      setting.patienceMs,
    )
  await isDegraded(0)
  const opened = trueNow()
  worker.child.send('give files')
  await scene.sees((lines) => howMany(lines, 'D') >= jobs, setting.patienceMs)

  worker.child.send('take files')
  await scene.sees((lines) => measured(lines, 'files').length > 1, setting.patienceMs)
  const cut = trueNow()
  await server.restart()
  await scene.start({ ...own, role: 'produce', jobs: 2 * jobs, pauseMs: 0 }).ended
  await isDegraded(cut)
  const connected = trueNow()
  worker.child.send('give files')
  const result = await count(scene, setting.patienceMs)
  const { lines } = result
  return {
    number: '36',
    fault: 'no file descriptor left',
    injected: `ulimit -n ${FILES}, all of them taken before the store is opened, and again before the message server restarts`,
    count: result,
    found: { ...kept(result), died: died(result.jobsById), uncoded: uncoded(lines), silent: silent(lines) },
    seen: `degraded both times; with files again the store opened (${again(lines, opened, ['C'])}) and the connection was made (${again(lines, connected, ['C'])}), by itself`,
  }
}

/** Workers with too little memory for what they take on are ended by it, again and again; one with enough goes on. */
export async function littleMemory(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const [jobs, deaths] = long ? [1500, 5] : [150, 1]
  await using scene = new Scene()
  const own = withMutant(setting)
  await scene.start({ ...own, role: 'produce', jobs, pauseMs: 0, calls: 50, payloadBytes: 200_000 }).ended
  const work = { ...own, role: 'work', leaseMs: LEASE_MS } as const
  const greedy = { ...work, concurrency: 200, runMs: 3000 }
  const ends: (number | string)[] = []
  for (let n = 0; n < deaths; n++) {
    const { child, ended } = scene.start(
      greedy,
      ['--max-old-space-size=60'],
      ['sh', '-c', 'exec "$0" "$@" 2>/dev/null'],
    )
    ends.push(await ended)
    scene.outside.write('K', 'memory', 0, child.pid)
  }
  scene.start({ ...work, concurrency: 10, runMs: 5 })
  const result = await count(scene, setting.patienceMs)
  return {
    number: '7',
    fault: 'memory pressure on workers',
    injected: `workers with a heap of 60 MB that take 200 jobs of 200 kB at once`,
    count: result,
    found: { ...kept(result), died: died(result.jobsById) },
    seen: `${ends.length} workers ended by the heap limit (${ends.join(', ')}); ${result.ranAgain} jobs run again elsewhere`,
  }
}
