import { OffloadError } from '../job/errors.ts'
import type { JobState } from '../job/job.ts'
import { jobStates } from '../job/job.ts'
import type { FindQuery } from '../ledger.ts'
import type { JobView } from '../reading/view.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'
import type { LinkMaker } from './links.ts'
import { jobResource } from './status.ts'

const KNOWN = ['state', 'task', 'queue', 'key', 'from', 'to', 'limit', 'cursor']

interface Finder {
  find(query: FindQuery): Promise<{ jobs: JobView[]; next?: string }>
}

/** `GET /jobs`: a page of jobs, newest first, with the address of the next. @throws OPTION_INVALID */
export async function listAnswer(
  jobs: Finder,
  ask: Ask,
  scope: Pick<FindQuery, 'tenant' | 'queue' | 'task'>,
  links: LinkMaker,
): Promise<Answer> {
  const page = await jobs.find({ ...queryOf(ask.query), ...scope })
  const { next } = page
  return {
    status: 200,
    headers: { 'content-type': 'application/json', 'cache-control': 'private, no-store' },
    body: {
      jobs: page.jobs.map((job) => jobResource(job, links.of(job.id))),
      ...(next === undefined ? {} : { next, links: { next: nextLink(links.base, ask.query, next) } }),
    },
  }
}

function nextLink(base: string, query: URLSearchParams, cursor: string): string {
  const next = new URLSearchParams(query)
  next.set('cursor', cursor)
  return `${base}?${next}`
}

function queryOf(query: URLSearchParams): FindQuery {
  for (const name of query.keys())
    if (!KNOWN.includes(name) || query.getAll(name).length > 1)
      throw refused(
        `the query has ${JSON.stringify(name.slice(0, 40))}${KNOWN.includes(name) ? ' twice' : `, which is none of ${KNOWN.join(', ')}`}`,
      )
  const found: { -readonly [K in keyof FindQuery]: FindQuery[K] } = { limit: 50 }
  for (const name of ['task', 'queue', 'key', 'cursor'] as const) {
    const value = query.get(name)
    if (value !== null) found[name] = value
  }
  const state = query.get('state')
  if (state !== null) found.state = stateOf(state)
  const limit = query.get('limit')
  if (limit !== null) found.limit = wholeOf(limit, 'limit', 1, 1000)
  for (const name of ['from', 'to'] as const) {
    const value = query.get(name)
    if (value !== null) found[name] = instantOf(value, name)
  }
  return found
}

function stateOf(text: string): JobState {
  const state = jobStates.find((one) => one === text)
  if (state === undefined) throw refused(`state must be one of ${jobStates.join(', ')}`)
  return state
}

function wholeOf(text: string, name: string, least: number, most: number): number {
  const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (value >= least && value <= most) return value
  throw refused(`${name} must be a whole number from ${least} to ${most}`)
}

function instantOf(text: string, name: string): number {
  const ms = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isFinite(ms)) return ms
  throw refused(`${name} must be a time such as 2030-01-31T12:00:00Z`)
}

function refused(message: string): OffloadError {
  return new OffloadError('OPTION_INVALID', message)
}
