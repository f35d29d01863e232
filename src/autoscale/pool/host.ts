import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Reading } from '../policy/reading.ts'

type Load = NonNullable<Reading['host']>

/** What others take of a host is no matter while the workers take less than this part of it. */
const SMALL_PART = 0.25

/**
 * Tells how busy this host is, 0 to 1, since it was asked last: whoever keeps it busy, but no more than four times what the workers
 * take themselves, or a neighbour would stop them from ever growing. Where this process may use fewer cores than there are, as in a
 * container, others do not count at all. `cpuMs`: what the workers have computed so far.
 */
export function hostWatch(): (cpuMs: number) => Load {
  const cores = availableParallelism()
  let before = { ...times(), cpuMs: 0, at: performance.now() }
  return (cpuMs) => {
    const now = { ...times(), cpuMs, at: performance.now() }
    const all = ratio(now.busy - before.busy, now.all - before.all)
    const own = ratio(now.cpuMs - before.cpuMs, (now.at - before.at) * cores)
    before = now
    return { cpu: cores < cpus().length ? own : Math.min(all, own / SMALL_PART), memory: memory() }
  }
}

const ratio = (part: number, whole: number): number =>
  whole > 0 ? Math.min(1, Math.max(0, part / whole)) : 0

/** Of all cores since the host came up, in ms. */
function times(): { readonly busy: number; readonly all: number } {
  let [busy, all] = [0, 0]
  for (const { times: core } of cpus()) {
    const working = core.user + core.nice + core.sys + core.irq
    busy += working
    all += working + core.idle
  }
  return { busy, all }
}

/** Of what this process and its like may use: the limit of a container counts. */
function memory(): number {
  const limit = process.constrainedMemory()
  const most = limit > 0 && limit < totalmem() ? limit : totalmem()
  return ratio(most - process.availableMemory(), most)
}
