import type { JobState } from '../job/job.ts'
import type { Offload } from '../offload.ts'

/** Jobs looked at for each state: few, since each comes with its payload. */
const LOOKED_AT = 200
const STATES: readonly JobState[] = ['queued', 'running', 'scheduled', 'dead', 'done']

/** The queues of the newest jobs in each state; not `complete` when there are jobs that were not looked at. */
export async function queuesSeen(queue: Offload): Promise<{ names: string[]; complete: boolean }> {
  const names = new Set<string>()
  let complete = true
  for (const state of STATES) {
    const { jobs, next } = await queue.find({ state, limit: LOOKED_AT })
    for (const job of jobs) names.add(job.queue)
    if (next !== undefined) complete = false
  }
  return { names: [...names].sort(), complete }
}
