import type { JobView } from '../reading/view.ts'
import type { DeadGroup, DeadSelection } from './shapes.ts'

const LONGEST = 300
/** What differs from one job to the next: words with a digit in them, addresses of mail, what is quoted. */
const VARYING = /[\w.+-]+@[\w.-]+|"[^"]{1,80}"|(?<!\w)'[^']{1,80}'(?!\w)|\b[\w-]*\d[\w.:-]*\w|\b[\w-]*\d/g

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
