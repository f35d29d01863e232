import { undead } from '../checks.ts'
import type { Poison } from '../handlers.ts'
import { howMany } from '../outside.ts'
import { count, Scene } from '../scene.ts'
import type { Fault, Finding, Setting } from './fault.ts'
import { kept, withMutant } from './fault.ts'

const LEASE_MS = 1000
const ATTEMPTS = 3

interface Kind {
  readonly number: string
  readonly does: string
  readonly code: string
}

export const poisons: Readonly<Record<Poison, Kind>> = {
  kill: { number: '1, 21', does: 'kills its worker', code: 'LEASE_LOST' },
  exit: { number: '8', does: 'exits the process of its worker', code: 'LEASE_LOST' },
  memory: { number: '7', does: 'takes all memory of its worker', code: 'LEASE_LOST' },
  block: { number: '5', does: 'holds the event loop for three leases', code: 'LEASE_LOST' },
  hang: { number: '6', does: 'never ends', code: 'JOB_TIMEOUT' },
}

/** Jobs that do something bad to every worker that takes them, among others that do not. */
export function poisoned(poison: Poison): Fault {
  return (setting) => run(poison, setting)
}

async function run(poison: Poison, setting: Setting): Promise<Finding> {
  const [jobs, bad] = setting.form === 'long' ? [500, 3] : [40, 1]
  const { number, does, code } = poisons[poison]
  await using scene = new Scene()
  const own = withMutant(setting)
  await scene.start({ ...own, role: 'produce', jobs, poisons: bad }).ended
  let processes = 0
  const supervise = async (): Promise<void> => {
    while (!scene.closed && ++processes < 60) {
      const work = { ...own, role: 'work', leaseMs: LEASE_MS, concurrency: 2, poison } as const
      await scene.start(work, ['--max-old-space-size=100'], ['sh', '-c', 'exec "$0" "$@" 2>/dev/null']).ended
    }
  }
  const supervised = [supervise(), supervise()]
  const result = await count(scene, setting.patienceMs)
  await scene.close()
  await Promise.all(supervised)
  const ids = Array.from({ length: bad }, (_, n) => `p-${n}`)
  return {
    number,
    fault: `a job that ${does}`,
    injected: `${bad} of ${jobs} jobs, with ${ATTEMPTS} attempts, for two workers that are started again whenever they end`,
    count: result,
    found: { ...kept(result), undead: undead(result.jobsById, ids, { attempts: ATTEMPTS, code }) },
    seen: `dead with ${code} after ${ATTEMPTS} attempts, the other ${howMany(result.lines, 'D')} done; ${processes} workers started`,
  }
}
