import { errorCodes } from '../job/errors.ts'
import type { JobState } from '../job/job.ts'
import { isEnded } from '../job/job.ts'
import { linksOf } from './accept.ts'
import type { Answer } from './answer.ts'
import { plainProblem, problemType } from './problem.ts'

/** A job as a queue's `get()` tells of it, as far as HTTP shows it. */
export interface ReadableJob {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly state: JobState
  readonly attempt: number
  readonly maxAttempts: number
  readonly createdAt: number
  readonly runAt?: number | undefined
  readonly startedAt?: number | undefined
  readonly endedAt?: number | undefined
  readonly progress?: unknown
  readonly result?: unknown
  readonly error?: { readonly code: string; readonly message: string } | undefined
  readonly cancelling?: boolean | undefined
}

/** What the job routes need of a queue. */
export interface JobSource {
  get(id: string): Promise<ReadableJob | undefined>
  cancel(id: string): Promise<'cancelled' | 'cancelling' | 'ended' | 'unknown'>
}

/** The job as its client may see it: never the payload, never a stack. */
export function jobResource(job: ReadableJob, base: string): object {
  return {
    id: job.id,
    task: job.task,
    queue: job.queue,
    state: job.state,
    ...(job.cancelling === true ? { cancelling: true } : {}),
    attempt: job.attempt,
    maxAttempts: job.maxAttempts,
    createdAt: isoTime(job.createdAt),
    runAt: isoTime(job.runAt),
    startedAt: isoTime(job.startedAt),
    endedAt: isoTime(job.endedAt),
    progress: job.progress,
    ...(job.state === 'done' ? { result: job.result ?? null } : {}),
    ...(job.state === 'dead' && job.error !== undefined ? { error: faultProblem(job.error) } : {}),
    links: linksOf(job.id, base),
  }
}

/** Answers `GET /jobs/{id}`: 200 in every state, 304 to a client that has this state already, 404 when unknown. */
export async function readJob(
  source: JobSource,
  id: string,
  base: string,
  ifNoneMatch: string | null,
): Promise<Answer> {
  const job = await source.get(id)
  if (job === undefined) return jobNotFound(linksOf(id, base).self)
  const body = jobResource(job, base)
  const etag = await entityTag(body)
  const headers = {
    etag,
    'cache-control': 'private, no-cache',
    ...(isEnded(job.state) ? {} : { 'retry-after': '1' }),
  }
  if (ifNoneMatch !== null && matches(ifNoneMatch, etag)) return { status: 304, headers, body: undefined }
  return { status: 200, headers: { ...headers, 'content-type': 'application/json' }, body }
}

/** Answers `POST /jobs/{id}/cancel`: 200 cancelled, 202 when a handler must stop first, 409 when the job has ended. */
export async function cancelJob(source: JobSource, id: string, base: string): Promise<Answer> {
  const verdict = await source.cancel(id)
  const links = linksOf(id, base)
  if (verdict === 'unknown') return jobNotFound(links.self)
  if (verdict === 'ended') return plainProblem(409, 'Conflict', 'The job has ended already.', links.self)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (verdict === 'cancelled') return { status: 200, headers, body: { id, state: 'cancelled', links } }
  return {
    status: 202,
    headers: { ...headers, location: links.self, 'retry-after': '1' },
    body: { id, state: 'running', cancelling: true, links },
  }
}

/** The answer for a job that is not remembered, was never there, or is not this client's. */
export function jobNotFound(instance: string): Answer {
  const { status, headers, body } = plainProblem(404, errorCodes.JOB_NOT_FOUND, undefined, instance)
  return { status, headers, body: { ...body, type: problemType('JOB_NOT_FOUND'), code: 'JOB_NOT_FOUND' } }
}

function faultProblem({ code, message }: { readonly code: string; readonly message: string }): object {
  const title = Object.hasOwn(errorCodes, code) ? errorCodes[code as keyof typeof errorCodes] : code
  return { type: problemType(code), title, detail: message, code }
}

function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString()
}

async function entityTag(body: object): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(JSON.stringify(body)))
  return `"${Buffer.from(digest, 0, 16).toString('base64url')}"`
}

function matches(ifNoneMatch: string, etag: string): boolean {
  if (ifNoneMatch.trim() === '*') return true
  return ifNoneMatch.split(',').some((tag) => tag.trim().replace(/^W\//, '') === etag)
}
