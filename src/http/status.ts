import { hash } from 'node:crypto'
import { contentOf } from '../job/content.ts'
import { errorCodes } from '../job/errors.ts'
import { isEnded } from '../job/job.ts'
import type { JobView } from '../reading/view.ts'
import type { Answer } from './answer.ts'
import type { Links } from './links.ts'
import { problemType } from './problem.ts'

/** A longer result is told by its address. */
const MAX_INLINE_CHARS = 16_384

/** How often a client should look. */
const POLL_SECONDS = '1'

/** A job as its client sees it: never the payload, never a stack. `result` is there when it is JSON of at most 16 kB. */
export interface JobResource {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: JobView['state']
  readonly cancelling?: true
  readonly attempt: number
  readonly maxAttempts: number
  readonly createdAt: string | undefined
  readonly runAt: string | undefined
  readonly startedAt: string | undefined
  readonly endedAt: string | undefined
  readonly progress?: unknown
  readonly result?: unknown
  readonly resultUrl?: string
  readonly error?: object
  readonly links: Partial<Links>
}

export function jobResource(job: JobView, links: Links): JobResource {
  const { self, events, result, cancel } = links
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    state: job.state,
    ...(job.cancelling ? { cancelling: true } : {}),
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    createdAt: isoTime(job.createdAt),
    runAt: isoTime(job.runAt),
    startedAt: isoTime(job.startedAt),
    endedAt: isoTime(job.endedAt),
    progress: job.progress,
    ...(job.state === 'done' ? resultMembers(job.result, result) : {}),
    ...(job.state === 'dead' && job.error !== undefined ? { error: faultProblem(job.error) } : {}),
    links: {
      self,
      events,
      ...(job.state === 'done' ? { result } : {}),
      ...(isEnded(job.state) || cancel === undefined ? {} : { cancel }),
    },
  }
}

function resultMembers(result: unknown, resultUrl: string): Pick<JobResource, 'result' | 'resultUrl'> {
  const isLong = contentOf(result) !== undefined || (JSON.stringify(result)?.length ?? 0) > MAX_INLINE_CHARS
  return isLong ? { resultUrl } : { result: result ?? null }
}

/** `GET /jobs/{id}`: 200 in every state, 304 to a client that has this state already. */
export function statusAnswer(job: JobView, links: Links, ifNoneMatch: string | undefined): Answer {
  const body = JSON.stringify(jobResource(job, links))
  const etag = etagOf(body)
  const headers = {
    etag,
    'cache-control': 'private, no-cache',
    ...(isEnded(job.state) ? {} : { 'retry-after': POLL_SECONDS }),
  }
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag))
    return { status: 304, headers, body: undefined }
  return { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body }
}

/** Equal for equal bodies. */
export function etagOf(body: string): string {
  return `"${hash('sha256', body, 'base64url').slice(0, 22)}"`
}

/** An error of a job as a problem; the job itself is answered with 200. */
export function faultProblem({ code, message }: { readonly code: string; readonly message: string }): object {
  const title = Object.hasOwn(errorCodes, code) ? errorCodes[code as keyof typeof errorCodes] : code
  return { type: problemType(code), title, detail: message, code }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

/** RFC 9110, section 13.1.2: compared weakly. */
export function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
