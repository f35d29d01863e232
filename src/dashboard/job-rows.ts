import { contentOf } from '../job/content.ts'
import type { WorkerView } from '../presence/view.ts'
import type { JobView } from '../reading/view.ts'
import type { Carried, JobDetail, JobRow } from './shapes.ts'

const LONGEST_ERROR = 300

/** What a list tells of a job: nothing of what it carries. */
export function rowOf(job: JobView): JobRow {
  const { id, task, queue, state, priority, attempt, maxAttempts, createdAt } = job
  const { runAt, startedAt, endedAt, key, error } = job
  return {
    id,
    task,
    queue,
    state,
    priority,
    attempt,
    maxAttempts,
    createdAt,
    ...(runAt === undefined ? {} : { runAt }),
    ...(startedAt === undefined ? {} : { startedAt }),
    ...(endedAt === undefined ? {} : { endedAt }),
    ...(key === undefined ? {} : { key }),
    ...(error === undefined ? {} : { error: { code: error.code, message: shortened(error.message) } }),
  }
}

/** All that is known of a job; what it carries for who may see it. */
export function detailOf(job: JobView, maySee: boolean, workers: readonly WorkerView[] | null): JobDetail {
  const { deadline, tenant, cancelling, faults, eventId } = job
  const worker = workers === null || job.state !== 'running' ? undefined : runnerOf(job.id, workers)
  return {
    ...rowOf(job),
    ...(deadline === undefined ? {} : { deadline }),
    ...(tenant === undefined ? {} : { tenant }),
    cancelling,
    faults,
    eventId,
    ...(maySee ? { carried: carriedBy(job) } : {}),
    ...(worker === undefined ? {} : { worker }),
  }
}

function carriedBy({ payload, result, progress, log }: JobView): Carried {
  const content = contentOf(result)
  return {
    payload,
    log,
    ...(progress === undefined ? {} : { progress }),
    ...(content === undefined
      ? result === undefined
        ? {}
        : { result }
      : {
          content: {
            type: content.type,
            bytes: content.bytes.length,
            ...(content.filename === undefined ? {} : { filename: content.filename }),
          },
        }),
  }
}

/** As the workers told last: a job that began since then is told by none. */
function runnerOf(jobId: string, workers: readonly WorkerView[]): JobDetail['worker'] {
  for (const { id, name, attempts } of workers) {
    const attempt = attempts.find((one) => one.jobId === jobId)
    if (attempt !== undefined) return { id, name, startedAt: attempt.startedAt }
  }
  return undefined
}

function shortened(text: string): string {
  return text.length > LONGEST_ERROR ? `${text.slice(0, LONGEST_ERROR).toWellFormed()}…` : text
}
