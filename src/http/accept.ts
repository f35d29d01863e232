import type { Answer } from './answer.ts'
import { toResponse } from './answer.ts'

/** What `queue.enqueue()` resolves with, as far as an answer needs it. */
export interface AcceptedJob {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly duplicate: boolean
}

export interface AcceptOptions {
  /** Where the job routes are mounted. @default '/jobs' */
  readonly base?: string
  /** Seconds after which the client should look. @default 1 */
  readonly retryAfter?: number
}

/** The 202 that hands over an accepted job: where to look, when to look, and the job itself. */
export function accepted(job: AcceptedJob, options: AcceptOptions = {}): Response {
  return toResponse(acceptedAnswer(job, options))
}

/** The same as plain data, for the adapters. */
export function acceptedAnswer(
  { id, task, queue, duplicate }: AcceptedJob,
  { base = DEFAULT_BASE, retryAfter = 1 }: AcceptOptions = {},
): Answer {
  const links = linksOf(id, base)
  return {
    status: 202,
    headers: {
      'content-type': 'application/json',
      location: links.self,
      'retry-after': String(Math.max(1, Math.ceil(retryAfter))),
      'cache-control': 'no-store',
    },
    body: { id, task, queue, state: 'queued', duplicate, links },
  }
}

export const DEFAULT_BASE = '/jobs'

/** Where a job is read and cancelled. Ids hold only what a URL path can hold as it is. */
export function linksOf(id: string, base: string): { readonly self: string; readonly cancel: string } {
  const self = `${base}/${id}`
  return { self, cancel: `${self}/cancel` }
}
