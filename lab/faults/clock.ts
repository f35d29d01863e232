import { died } from '../checks.ts'
import { howMany } from '../outside.ts'
import type { Count } from '../scene.ts'
import { count, Scene } from '../scene.ts'
import type { Jump } from '../wrong-clock.ts'
import { jumpsBetween } from '../wrong-clock.ts'
import type { Finding, Setting } from './fault.ts'
import { kept, withMutant } from './fault.ts'

const LEASE_MS = 600
const EVERY_MS = 400
const DAY_MS = 86_400_000

/** The clock of the host is set to and fro by minutes and days, for every process at once, until it is right again. */
export async function hostClock(setting: Setting): Promise<Finding> {
  const [from, until] = span(setting)
  const jumps = jumpsBetween(from, until, EVERY_MS, setting.random)
  const result = await run(setting, () => jumps)
  return {
    number: '18',
    fault: 'the clock of the host jumps to and fro',
    injected: `an injected clock, set ${jumps.length} times by ±5 minutes or ±1 day for all processes at once, then right again`,
    count: result,
    found: { ...kept(result), died: died(result.jobsById) },
    seen: `${seen(result)}; all done`,
  }
}

/** Every process has a wrong clock of its own, as hosts that share a store might. */
export async function ownClocks(setting: Setting): Promise<Finding> {
  const [from, until] = span(setting)
  const result = await run(setting, () => jumpsBetween(from, until, EVERY_MS, setting.random))
  return {
    number: '18',
    fault: 'clocks that disagree',
    injected:
      'a clock for every process, each set by ±5 minutes or ±1 day again and again on its own, then all right',
    count: result,
    found: kept(result),
    seen: `${seen(result)}; ${died(result.jobsById).length} dead, because processes with clocks ahead ended the leases of the others until no attempt was left`,
  }
}

function span({ form }: Setting): [from: number, until: number] {
  const from = Date.now() + 500
  return [from, from + (form === 'long' ? 10_000 : 1500)]
}

async function run(setting: Setting, clock: () => readonly Jump[]): Promise<Count> {
  const long = setting.form === 'long'
  const [jobs, lasts] = long ? [2000, 10_000] : [100, 2000]
  await using scene = new Scene()
  const own = () => ({ ...withMutant(setting), clock: clock() })
  for (const name of ['a', 'b'])
    scene.start({ ...own(), role: 'produce', name, jobs: jobs / 2, pauseMs: (10 * lasts) / jobs })
  const work = { role: 'work', leaseMs: LEASE_MS, watched: true } as const
  for (const runMs of [20, 20, LEASE_MS * 1.5]) scene.start({ ...own(), ...work, runMs })
  await scene.sees((lines) => howMany(lines, 'P') >= jobs)
  return await count(scene, setting.patienceMs)
}

function seen({ ranAgain, overlaps }: Count): string {
  return `${ranAgain} jobs run more than once, ${overlaps} times while another process ran it`
}

/** The clock of the host is a day ahead and is set right while jobs run that take longer than a lease. */
export async function setBack(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 80 : 20
  await using scene = new Scene()
  const at = Date.now() + 1000
  const own = {
    ...withMutant(setting),
    clock: [
      { at: 0, offMs: DAY_MS },
      { at, offMs: 0 },
    ],
  }
  const work = { ...own, role: 'work', leaseMs: LEASE_MS, runMs: LEASE_MS * 1.5, concurrency: 20 } as const
  scene.start({ ...own, role: 'produce', jobs, calls: 2, pauseMs: 100 })
  for (const _ of [1, 2]) scene.start(work)
  await scene.sees((lines) => howMany(lines, 'P') >= jobs && Date.now() > at)
  const result = await count(scene, setting.patienceMs)
  return {
    number: '18',
    fault: 'the clock of the host is set back by a day',
    injected:
      'an injected clock that is a day ahead, set right while jobs run that take longer than their lease',
    count: result,
    found: { ...kept(result), died: died(result.jobsById) },
    seen: `${seen(result)}; all done`,
  }
}

/** A worker is killed while the clock is a day ahead: its leases end tomorrow, and its jobs must not wait until then. */
export async function clockAhead(setting: Setting): Promise<Finding> {
  const jobs = setting.form === 'long' ? 50 : 8
  await using scene = new Scene()
  const ahead = (days: number) => ({ ...withMutant(setting), clock: [{ at: 0, offMs: days * DAY_MS }] })
  await scene.start({ ...ahead(1), role: 'produce', jobs, pauseMs: 0 }).ended
  const work = { role: 'work', leaseMs: LEASE_MS } as const
  await scene.start({ ...ahead(1), ...work, kill: { at: 'run', when: 'after', nth: 3 } }).ended
  const held = new Set(scene.outside.ids('C')).size
  const begun = performance.now()
  scene.start({ ...ahead(0), ...work })
  await scene.sees((lines) => howMany(lines, 'D') >= jobs)
  const tookMs = Math.round(performance.now() - begun)
  const result = await count(scene, setting.patienceMs)
  return {
    number: '18',
    fault: 'a worker is killed while the clock is a day ahead',
    injected: 'an injected clock that is a day ahead until the worker is killed, then right',
    count: result,
    found: { ...kept(result), died: died(result.jobsById) },
    seen: `the ${held} jobs it held were done ${tookMs} ms after a worker with a right clock was started; lease ${LEASE_MS} ms`,
  }
}
