import { outOfLine } from '../checks.ts'
import { count, Scene } from '../scene.ts'
import type { Finding, Setting } from './fault.ts'
import { kept, withMutant } from './fault.ts'

const LEASE_MS = 600
const KEYS = 3

/** Workers are killed while they hold the keys of jobs that must run in line. */
export async function keyHolders(setting: Setting): Promise<Finding> {
  const [jobs, kills] = setting.form === 'long' ? [300, 12] : [30, 3]
  await using scene = new Scene()
  const own = withMutant(setting)
  await scene.start({ ...own, role: 'produce', jobs, keys: KEYS, pauseMs: 0 }).ended
  const work = { ...own, role: 'work', leaseMs: LEASE_MS, runMs: 20 } as const
  for (let kill = 0; kill < kills; kill++) {
    if (kill === kills - 1) scene.start(work)
    const when = kill % 2 === 0 ? 'before' : 'after'
    const victim = scene.start({ ...work, kill: { at: 'run', when, nth: 1 + (kill % 3) } })
    await Promise.race([victim.ended, scene.drained()])
  }
  const result = await count(scene, setting.patienceMs)
  return {
    number: '32',
    fault: 'the holder of a key is killed',
    injected: `workers killed -9 before and after the effect of a job of one of ${KEYS} keys`,
    count: result,
    found: { ...kept(result), outOfLine: outOfLine(result.lines, KEYS) },
    seen: `${result.kills} killed; no job began before everyone before it in its line had had its effect`,
  }
}
