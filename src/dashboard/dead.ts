import type { Answer, Stream } from '../http/answer.ts'
import type { Ask } from '../http/ask.ts'
import { readJson } from '../http/body.ts'
import { BackendError, errorCodes, OffloadError } from '../job/errors.ts'
import type { FindQuery } from '../ledger.ts'
import { grouped, isMeant } from './dead-groups.ts'
import { given, refused } from './query.ts'
import type { BulkLine, DeadPage, DeadSelection } from './shapes.ts'
import type { DashboardSource } from './source.ts'

/** Dead letters looked at in one request. */
const STRETCH = 1000
const MOST_IDS = 1000
const BODY_BYTES = 262_144

type Finder = Pick<DashboardSource, 'find'>
type Bulk = Pick<DashboardSource, 'find' | 'redrive' | 'purge'>

/** The groups of a stretch of dead letters, newest first; the page adds the stretches up. */
export async function deadPage(source: Finder, asked: URLSearchParams): Promise<DeadPage> {
  const { jobs, next } = await source.find({ ...placeOf(asked), state: 'dead', limit: STRETCH })
  return { groups: grouped(jobs), looked: jobs.length, ...(next === undefined ? {} : { next }) }
}

function placeOf(asked: URLSearchParams): FindQuery {
  const [queue, task, cursor] = [given(asked, 'queue'), given(asked, 'task'), given(asked, 'cursor')]
  return {
    ...(queue === undefined ? {} : { queue }),
    ...(task === undefined ? {} : { task }),
    ...(cursor === undefined ? {} : { cursor }),
  }
}

/** Does it to the dead letters that are meant, and tells how far it is, a line of JSON each. It stops when the client leaves. */
export async function bulkAnswer(source: Bulk, act: 'redrive' | 'purge', ask: Ask): Promise<Answer> {
  const selection = selectionOf(await readJson(ask, BODY_BYTES))
  return {
    status: 200,
    headers: { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' },
    body: lines(source, act, selection, ask.signal),
  }
}

/** The length of each step is what one call of the ledger does. */
async function* lines(
  source: Bulk,
  act: 'redrive' | 'purge',
  selection: DeadSelection,
  signal: AbortSignal,
): Stream & AsyncGenerator<string> {
  const line = (value: BulkLine): string => `${JSON.stringify(value)}\n`
  let done = 0
  try {
    for await (const ids of batches(source, selection)) {
      if (signal.aborted) return
      if (ids.length > 0) done += await source[act]({ ids })
      yield line({ done })
    }
    yield line({ finished: done })
  } catch (error) {
    if (!(error instanceof OffloadError)) throw error
    const { code } = error
    yield line({
      stopped: { code, title: error instanceof BackendError ? errorCodes[code] : error.message },
      done,
    })
  }
}

async function* batches(source: Finder, selection: DeadSelection): AsyncGenerator<readonly string[]> {
  if (selection.ids !== undefined) return yield selection.ids
  const { queue, task } = selection
  for (let cursor: string | undefined; ; ) {
    const { jobs, next } = await source.find({
      state: 'dead',
      limit: STRETCH,
      ...(queue === undefined ? {} : { queue }),
      ...(task === undefined ? {} : { task }),
      ...(cursor === undefined ? {} : { cursor }),
    })
    yield jobs.filter((job) => isMeant(job, selection)).map(({ id }) => id)
    if (next === undefined) return
    cursor = next
  }
}

/** @throws OPTION_INVALID: what means all dead letters by a slip must not be carried out */
function selectionOf(body: unknown): DeadSelection {
  if (typeof body !== 'object' || body === null || Array.isArray(body))
    throw refused('send an object: { "ids": [...] }, or any of queue, task, code and pattern')
  const { ids, ...rest } = body as { ids?: unknown } & Record<string, unknown>
  for (const [name, value] of Object.entries(rest))
    if (!['queue', 'task', 'code', 'pattern'].includes(name) || typeof value !== 'string')
      throw refused(`a selection of dead letters has no ${JSON.stringify(name.slice(0, 40))} of this kind`)
  if (ids === undefined) {
    if (Object.keys(rest).length === 0) throw refused('say which: ids, queue, task, code or pattern')
    return rest
  }
  const isList = Array.isArray(ids) && ids.length > 0 && ids.length <= MOST_IDS
  if (!isList || !ids.every((id) => typeof id === 'string'))
    throw refused(`ids must be a list of 1 to ${MOST_IDS} ids`)
  if (Object.keys(rest).length > 0) throw refused('give ids alone, or none')
  return { ids }
}
