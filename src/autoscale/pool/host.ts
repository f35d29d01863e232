import { availableParallelism, cpus, totalmem } from 'node:os'
import type { Reading } from '../reading.ts'

type Load = NonNullable<Reading['host']>

/**
 * Tells how busy this host is, 0 to 1, since it was asked last: all of it, whoever keeps it busy. Where this process may use fewer
 * cores than there are, as in a container, what the others do is no matter: then it is what the workers take of that share.
 * `cpuMs`: what the workers have computed so far.
 */
export function hostWatch(): (cpuMs: number) => Load {
  let before = { ...times(), cpuMs: 0, at: performance.now() }
  const cores = availableParallelism()
  return (cpuMs) => {
    const now = { ...times(), cpuMs, at: performance.now() }
    const cpu =
      cores < cpus().length
        ? ratio(now.cpuMs - before.cpuMs, (now.at - before.at) * cores)
        : ratio(now.busy - before.busy, now.all - before.all)
    before = now
    return { cpu, memory: memory() }
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
