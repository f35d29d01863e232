import { OffloadError } from '../job/errors.ts'
import type { JobState } from '../job/job.ts'
import { jobStates } from '../job/job.ts'
import type { FindQuery } from '../ledger.ts'

/** A search as the page asks it: what the ledger finds, and an error text that is looked for in what it finds. */
export interface Search {
  readonly query: FindQuery
  readonly text?: string
}

const TEXTS = ['task', 'queue', 'key', 'cursor'] as const
const KNOWN: readonly string[] = [...TEXTS, 'id', 'state', 'from', 'to', 'limit', 'text']
const DEFAULT_LIMIT = 50
const MOST = 200

/** @throws OPTION_INVALID */
export function searchOf(asked: URLSearchParams): Search {
  for (const name of asked.keys())
    if (!KNOWN.includes(name)) throw refused(`a search has no ${JSON.stringify(name.slice(0, 40))}`)
  const query: { -readonly [Name in keyof FindQuery]: FindQuery[Name] } = {
    limit: whole(asked.get('limit'), 'limit') ?? DEFAULT_LIMIT,
  }
  if (query.limit === undefined || query.limit < 1 || query.limit > MOST)
    throw refused(`limit must be a whole number from 1 to ${MOST}`)
  for (const name of TEXTS) {
    const value = given(asked, name)
    if (value !== undefined) query[name] = value
  }
  const id = given(asked, 'id')
  if (id !== undefined) query.ids = [id]
  const state = given(asked, 'state')
  if (state !== undefined) query.state = stateOf(state)
  const [from, to] = [whole(asked.get('from'), 'from'), whole(asked.get('to'), 'to')]
  if (from !== undefined) query.from = from
  if (to !== undefined) query.to = to
  const text = given(asked, 'text')
  return { query, ...(text === undefined ? {} : { text }) }
}

export function given(asked: URLSearchParams, name: string): string | undefined {
  const value = asked.get(name)?.trim()
  return value === undefined || value === '' ? undefined : value
}

function stateOf(text: string): JobState {
  const state = jobStates.find((one) => one === text)
  if (state === undefined) throw refused(`state must be one of ${jobStates.join(', ')}`)
  return state
}

function whole(text: string | null, name: string): number | undefined {
  if (text === null || text === '') return undefined
  if (/^\d{1,15}$/.test(text)) return Number(text)
  throw refused(`${name} must be a whole number`)
}

export function refused(message: string): OffloadError {
  return new OffloadError('OPTION_INVALID', message)
}
