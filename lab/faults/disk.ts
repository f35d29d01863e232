import { silent, uncoded } from '../checks.ts'
import { Disk } from '../disk.ts'
import type { Line } from '../outside.ts'
import { howMany, trueNow } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import type { Finding, Setting } from './fault.ts'
import { again, kept, tally, withMutant } from './fault.ts'

const LEASE_MS = 1000
const PAYLOAD = 20_000

/** The disk fills up while jobs flow; then there is room again. */
export async function diskFull(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const jobs = long ? 2000 : 250
  using disk = Disk.of(long ? '16m' : '3m')
  await using scene = new Scene(disk.path)
  const own = { ...withMutant(setting), leaseMs: LEASE_MS, watched: true }
  const produce = { ...own, role: 'produce', insists: true, payloadBytes: PAYLOAD, pauseMs: 5 } as const
  for (const name of ['a', 'b']) scene.start({ ...produce, name, jobs: jobs / 2 })
  for (const _ of [1, 2]) scene.start({ ...own, role: 'work', concurrency: 2, runMs: 20 })
  await scene.sees((lines) => howMany(lines, 'R') > 0, setting.patienceMs)
  await scene.sees((lines) => silent(lines)[0] !== 'no worker was degraded', setting.patienceMs)
  const healed = trueNow()
  const full = howMany(scene.outside.read(), 'P')
  disk.remount('size=256m')
  await scene.sees((lines) => new Set(lines.filter(accepted).map(({ id }) => id)).size >= jobs)
  const result = await count(scene, setting.patienceMs)
  const { lines } = result
  return {
    number: '16',
    fault: 'disk full under way',
    injected: `a tmpfs of ${long ? 16 : 3} MB, filled by ${PAYLOAD / 1000} kB payloads, then made larger`,
    count: result,
    found: { ...kept(result), uncoded: uncoded(lines), silent: silent(lines) },
    seen: `full after ${full} jobs; refused: ${refusals(lines)}; workers degraded, ${again(lines, healed, ['P', 'D'])}`,
  }
}

/** Every process is killed, the disk is read-only when they come back, and is writable again later. */
export async function readOnly(setting: Setting): Promise<Finding> {
  const long = setting.form === 'long'
  const [jobs, before] = long ? [500, 200] : [60, 20]
  using disk = Disk.of('64m')
  await using scene = new Scene(disk.path)
  const own = { ...withMutant(setting), leaseMs: LEASE_MS, watched: true }
  const start = () => [
    scene.start({ ...own, role: 'produce', jobs, insists: true, pauseMs: 20 }),
    scene.start({ ...own, role: 'work', concurrency: 2, runMs: 10 }),
  ]
  const first = start()
  await scene.sees((lines) => howMany(lines, 'P') >= before)
  for (const { child } of first) child.kill('SIGKILL')
  for (const { child, ended } of first) {
    await ended
    scene.outside.write('K', 'random', 0, child.pid)
  }
  disk.remount('ro')
  start()
  await scene.sees((lines) => howMany(lines, 'R') > 0, setting.patienceMs)
  await scene.sees((lines) => silent(lines)[0] !== 'no worker was degraded', setting.patienceMs)
  const healed = trueNow()
  disk.remount('rw')
  await scene.sees((lines) => new Set(lines.filter(accepted).map(({ id }) => id)).size >= jobs)
  const result = await count(scene, setting.patienceMs)
  const { lines } = result
  return {
    number: '16',
    fault: 'file read-only',
    injected:
      'producer and worker killed -9 under way, the tmpfs remounted read-only while they start again, then writable',
    count: result,
    found: { ...kept(result), uncoded: uncoded(lines), silent: silent(lines) },
    seen: `refused: ${refusals(lines)}; worker degraded, ${again(lines, healed, ['P', 'D'])}`,
  }
}

function accepted({ kind }: Line): boolean {
  return kind === 'P'
}

function refusals(lines: readonly Line[]): string {
  return tally(lines.filter(({ kind }) => kind === 'R').map(({ id }) => id))
}
