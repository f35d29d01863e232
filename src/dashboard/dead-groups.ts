import type { JobView } from '../reading/view.ts'
import type { DeadGroup, DeadSelection } from './shapes.ts'

const LONGEST = 300
/** What differs from one job to the next: ids, addresses of memory, numbers. */
const VARYING =
  /\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b|\b(?=[0-9a-z]*\d)[0-9a-z]{16,}\b|\b0x[0-9a-f]+\b|\d+(?:\.\d+)*/gi

/** The message without what differs from one job to the next: equal for errors of one kind. */
export function patternOf(message: string): string {
  return message.slice(0, 2000).replace(VARYING, '#').slice(0, LONGEST).toWellFormed()
}

/** Dead letters that died alike, the most frequent first. They come newest first. */
export function grouped(jobs: readonly JobView[]): DeadGroup[] {
  const groups = Map.groupBy(jobs, (job) => JSON.stringify(kindOf(job)))
  return [...groups.values()].map(groupOf).sort((a, b) => b.count - a.count || b.newestAt - a.newestAt)
}

/** Whether a dead letter is one of those that are meant. */
export function isMeant(job: JobView, { queue, task, code, pattern }: DeadSelection): boolean {
  const kind = kindOf(job)
  return (
    (queue === undefined || job.queue === queue) &&
    (task === undefined || kind.task === task) &&
    (code === undefined || kind.code === code) &&
    (pattern === undefined || kind.pattern === pattern)
  )
}

function kindOf({ task, error }: JobView): { task: string; code: string; pattern: string } {
  return { task, code: error?.code ?? '', pattern: patternOf(error?.message ?? '') }
}

function groupOf(jobs: readonly JobView[]): DeadGroup {
  const [newest] = jobs as [JobView]
  const times = jobs.map(({ endedAt, createdAt }) => endedAt ?? createdAt)
  return {
    ...kindOf(newest),
    message: (newest.error?.message ?? '').slice(0, LONGEST).toWellFormed(),
    newestId: newest.id,
    count: jobs.length,
    newestAt: times.reduce((a, b) => Math.max(a, b)),
    oldestAt: times.reduce((a, b) => Math.min(a, b)),
    queues: [...new Set(jobs.map(({ queue }) => queue))].slice(0, 20),
  }
}
