import type { Depth } from '../../broker.ts'
import type { WorkerState } from '../observer.ts'

/** A worker that has a free slot, jobs that could start, and heard nothing of its backend for so long, has stopped claiming. */
const STUCK_MS = 10_000

/** A worker and since when jobs wait for it though it could take them. */
export type Idling = ReadonlyMap<string, number>

/**
 * Which workers idle though jobs could start, and since when. One look proves nothing: a job may just have come, and a server
 * may hold a claim that waits for hours. It counts from the first of the looks that all found the same.
 */
export function idling(
  workers: readonly WorkerState[],
  depths: readonly Depth[],
  before: Idling,
  now: number,
): Idling {
  const waiting = new Set(depths.filter(couldStart).map(({ queue }) => queue))
  const idle = workers.filter((worker) => isFree(worker) && worker.queues.some((queue) => waiting.has(queue)))
  return new Map(
    idle.map((worker) => {
      const key = `${worker.name} ${worker.queues.join(' ')}`
      const since = before.get(key)
      return [key, since === undefined || now - worker.unheardMs > since ? now : since]
    }),
  )
}

/** Whether one of them has idled for so long that it must have stopped claiming. */
export function hasStuck(idle: Idling, now: number): boolean {
  return [...idle.values()].some((since) => now - since >= STUCK_MS)
}

function couldStart({ ready, oldestAgeMs, paused }: Depth): boolean {
  return !paused && oldestAgeMs !== null && ready !== 0
}

function isFree({ state, slots, running, buffered }: WorkerState): boolean {
  return state === 'running' && running + buffered < slots
}
