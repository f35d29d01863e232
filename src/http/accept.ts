import type { CancelVerdict, Handle } from '../handle.ts'
import { OffloadError } from '../job/errors.ts'
import type { WaitOptions } from '../reading/reader.ts'
import type { JobView } from '../reading/view.ts'
import type { Answer } from './answer.ts'
import { toResponse } from './answer.ts'
import type { Ask } from './ask.ts'
import type { LinkOptions } from './links.ts'
import { LinkMaker } from './links.ts'
import type { Preferences } from './prefer.ts'
import { applied, preferences } from './prefer.ts'
import { statusAnswer } from './status.ts'

/** What `queue.enqueue()` resolves with, as far as an answer needs it. */
export type AcceptedJob = Pick<Handle<unknown>, 'id' | 'task' | 'queue' | 'duplicate'>

export interface AcceptOptions {
  /** Where the job routes are mounted. @default '/jobs' */
  readonly base?: string
  /** As the job routes sign their links. @default unsigned */
  readonly links?: LinkOptions
  /** Where clients reach the server: adds `Operation-Location`. @default it has `Location` alone */
  readonly origin?: string
  /** Seconds after which the client should look. @default 1 */
  readonly retryAfter?: number
}

export const DEFAULT_BASE = '/jobs'
export const DEFAULT_MAX_WAIT = '60s'

/** The 202 that hands over an accepted job: where to look, when to look, and the job itself. */
export function accepted(
  job: AcceptedJob,
  { base = DEFAULT_BASE, links, origin, retryAfter }: AcceptOptions = {},
): Response {
  return toResponse(acceptedAnswer(job, new LinkMaker(base, links, origin), retryAfter))
}

/** The same as plain data. A job that was accepted before is answered as it was then. */
export function acceptedAnswer(
  { id, task, queue, duplicate }: AcceptedJob,
  links: LinkMaker,
  retryAfter = 1,
  more: Readonly<Record<string, string>> = {},
): Answer {
  const { self, events, cancel } = links.of(id)
  return {
    status: 202,
    headers: {
      'content-type': 'application/json',
      location: self,
      ...(links.origin === undefined ? {} : { 'operation-location': links.origin + self }),
      'retry-after': String(Math.max(1, Math.ceil(retryAfter))),
      'cache-control': 'no-store',
      vary: 'Prefer',
      ...(duplicate ? { 'idempotent-replayed': 'true' } : {}),
      ...more,
    },
    body: { id, task, queue, state: 'queued', links: { self, events, cancel } },
  }
}

/** What waiting for a job needs of a queue. */
export interface Waits {
  get(id: string): Promise<JobView | undefined>
  result(id: string, options?: WaitOptions): Promise<unknown>
}

/** So many requests of a process are held open at most; the next are answered at once. */
const MOST_HELD = 10_000
let held = 0

export interface AnswerParts {
  readonly queue: Waits
  readonly links: LinkMaker
  /** The longest wait that a client is granted. */
  readonly maxWaitMs: number
  /** Aborts when the server closes: nobody is held any longer. */
  readonly closing?: AbortSignal
}

/** 202, or what the job came to when the client prefers to wait (RFC 7240) and it ends in time. */
export function answerAccepted(
  ask: Pick<Ask, 'header' | 'signal'>,
  job: AcceptedJob,
  parts: AnswerParts,
  retryAfter?: number,
): Answer | Promise<Answer> {
  const prefer = ask.header('prefer')
  if (prefer === undefined) return acceptedAnswer(job, parts.links, retryAfter)
  const wanted = preferences(prefer, parts.maxWaitMs)
  if (wanted.waitMs !== undefined && held < MOST_HELD)
    return waitedAnswer(ask, job, parts, wanted, retryAfter)
  return acceptedAnswer(job, parts.links, retryAfter, preferenceApplied({ ...wanted, waitMs: undefined }))
}

async function waitedAnswer(
  ask: Pick<Ask, 'signal'>,
  job: AcceptedJob,
  { queue, links, closing }: AnswerParts,
  wanted: Preferences,
  retryAfter: number | undefined,
): Promise<Answer> {
  const more = preferenceApplied(wanted)
  const signal = closing === undefined ? ask.signal : AbortSignal.any([ask.signal, closing])
  const hasEnded = await ends(job.id, wanted.waitMs ?? 0, signal, queue)
  // The job is accepted, whatever becomes of reading it.
  const view = hasEnded ? await queue.get(job.id).catch(() => undefined) : undefined
  if (view === undefined) return acceptedAnswer(job, links, retryAfter, more)
  const own = links.of(job.id)
  const { status, headers, body } = statusAnswer(view, own, undefined)
  const replayed: Record<string, string> = job.duplicate ? { 'idempotent-replayed': 'true' } : {}
  return {
    status,
    headers: { ...headers, 'content-location': own.self, vary: 'Prefer', ...replayed, ...more },
    body,
  }
}

function preferenceApplied(preferences: Preferences): Record<string, string> {
  const names = applied(preferences)
  return names === undefined ? {} : { 'preference-applied': names }
}

async function ends(id: string, timeout: number, signal: AbortSignal, queue: Waits): Promise<boolean> {
  held++
  try {
    await queue.result(id, { timeout, signal })
    return true
  } catch (error) {
    return error instanceof OffloadError && (error.code === 'JOB_DEAD' || error.code === 'JOB_CANCELLED')
  } finally {
    held--
  }
}

/** `POST /jobs/{id}/cancel`: 200 cancelled, 202 when a handler must stop first. @throws JOB_ENDED, JOB_GONE */
export function cancelAnswer(id: string, verdict: CancelVerdict, links: LinkMaker): Answer {
  if (verdict === 'unknown') throw new OffloadError('JOB_GONE', 'this job is no longer remembered')
  if (verdict === 'ended') throw new OffloadError('JOB_ENDED', 'the job has ended already')
  const { self, events } = links.of(id)
  const headers = { 'content-type': 'application/json', 'cache-control': 'no-store' }
  if (verdict === 'cancelled')
    return { status: 200, headers, body: { id, state: 'cancelled', links: { self, events } } }
  return {
    status: 202,
    headers: { ...headers, location: self, 'retry-after': '1' },
    body: { id, state: 'running', cancelling: true, links: { self, events } },
  }
}
