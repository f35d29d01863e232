import type { Depth } from '../../broker.ts'
import type { JobState } from '../../job/job.ts'
import { isEnded } from '../../job/job.ts'
import type { FindQuery, Page } from '../../ledger.ts'
import type { Counted } from '../counts.ts'
import { depthFrom } from '../counts.ts'
import { cursorOf } from '../database.ts'
import type { Connection } from './connection.ts'
import type { Row } from './rows.ts'
import { COUNT, recordOf, STATE } from './rows.ts'

const FEW = 10_000

/** The age of the oldest job is exact up to so many ready jobs; above, it is that of the head of the line. */
const SCAN_LIMIT = 10_000

/** A page of jobs, newest first; the cursor is the sequence number of the last one. */
export function find(db: Connection, query: FindQuery): Page {
  const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
  if (hasNone(db, query)) return { jobs: [], eventId: lastEvent(db) }
  const where: string[] = []
  const values: (string | number)[] = []
  const add = (condition: string, ...bound: (string | number)[]): void => {
    where.push(condition)
    values.push(...bound)
  }
  if (query.ids !== undefined) add('id in (select value from json_each(?))', JSON.stringify(query.ids))
  if (query.queue !== undefined) add('queue = ?', query.queue)
  if (query.task !== undefined) add('task = ?', query.task)
  // With the queues named, the index of keys serves.
  if (query.key !== undefined)
    add(
      `seq in (select seq from jobs where queue in (${query.queue === undefined ? 'select queue from counts' : '?'}) and key = ? and key is not null)`,
      ...(query.queue === undefined ? [] : [query.queue]),
      query.key,
    )
  if (query.tenant !== undefined) add('tenant = ? and tenant is not null', query.tenant)
  if (query.state !== undefined) {
    add('state = ?', STATE[query.state])
    const table = fewIn(db, query.state)
    if (table !== undefined) add(`seq in (select seq from ${table})`)
    else if (isByPlace(query)) add(...newestIn(query.state, query, limit + 1))
  }
  if (query.state === undefined && query.queue !== undefined && isByPlace(query))
    add(...newestIn(undefined, query, limit + 1))
  if (query.from !== undefined) add('created >= ?', query.from)
  if (query.to !== undefined) add('created < ?', query.to)
  if (query.cursor !== undefined) add('seq < ?', cursorOf(query.cursor))
  const text = `select * from records ${where.length > 0 ? `where ${where.join(' and ')}` : ''} order by seq desc limit ?`
  const rows = db.sql(text).all(...values, limit + 1) as unknown as Row[]
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  return {
    jobs: page.map(recordOf),
    eventId: lastEvent(db),
    ...(rows.length > limit && last !== undefined ? { next: String(last.seq) } : {}),
  }
}

function lastEvent(db: Connection): number {
  const newest = db.sql('select last from events order by first desc limit 1').get()
  return (newest as { last: number } | undefined)?.last ?? 0
}

/** Where the jobs of a state stand when they are few; many are soonest met by walking the newest jobs. */
function fewIn(db: Connection, state: JobState): string | undefined {
  const { n } = db.sql('select coalesce(sum(n), 0) as n from counts where state = ?').get(STATE[state]) as {
    n: number
  }
  if (n > FEW) return undefined
  if (state === 'running') return 'running join jobs on seq between first and last'
  if (isEnded(state)) return `ended join jobs on seq between first and last where state = ${STATE[state]}`
  const waiting = `waiting where state = ${STATE[state]}`
  return state === 'scheduled'
    ? waiting
    : `${waiting} union all select seq from ready join jobs on seq between first and last`
}

/** What is counted needs no look. */
function hasNone(db: Connection, { queue, state }: FindQuery): boolean {
  if (queue === undefined) return false
  const states = state === undefined ? Object.values(STATE) : [STATE[state]]
  const { n } = db
    .sql(`select coalesce(sum(n), 0) as n from counts where queue = ? and state in (${states.join()})`)
    .get(queue) as { n: number }
  return n === 0
}

/** Asked for by nothing but where a job is. */
function isByPlace({ ids, task, key, tenant, from, to }: FindQuery): boolean {
  return [ids, task, key, tenant, from, to].every((one) => one === undefined)
}

/** The newest of a state that has many jobs, or of a queue, from where they are: the newest of all jobs may be elsewhere. */
function newestIn(
  state: JobState | undefined,
  { queue, cursor }: FindQuery,
  most: number,
): [condition: string, ...bound: (string | number)[]] {
  const before = cursor === undefined ? Number.MAX_SAFE_INTEGER : cursorOf(cursor)
  const bound = [before, ...(queue === undefined ? [] : [queue]), most]
  const spans = (table: string, only = 'true'): string =>
    `select seq from (select seq from ${table} not indexed cross join jobs on seq between first and last
     where seq < ? and ${only} ${queue === undefined ? '' : `and ${table}.queue = ?`} order by first desc, seq desc limit ?)`
  const waiting = `select seq from (select waiting.seq from waiting cross join jobs using (seq)
    where waiting.seq < ? ${state === undefined ? '' : `and state = ${STATE[state]}`} ${queue === undefined ? '' : 'and queue = ?'} order by waiting.seq desc limit ?)`
  if (state === undefined)
    return [
      `seq in (${[waiting, ...['ready', 'running', 'ended'].map((table) => spans(table))].join(' union all ')})`,
      ...[bound, bound, bound, bound].flat(),
    ]
  if (state === 'scheduled') return [`seq in (${waiting})`, ...bound]
  if (state === 'running') return [`seq in (${spans('running')})`, ...bound]
  if (isEnded(state)) return [`seq in (${spans('ended', `state = ${STATE[state]}`)})`, ...bound]
  return [`seq in (${waiting} union all ${spans('ready')})`, ...bound, ...bound]
}

/** Each that ever had a job, or is paused. */
export function queuesIn(db: Connection): string[] {
  const found = db.sql('select queue from counts union select queue from paused').all() as { queue: string }[]
  return found.map(({ queue }) => queue).sort()
}

export function depth(db: Connection, queue: string, now: number): Depth {
  const counts = new Map(
    (db.sql('select state, n from counts where queue = ?').all(queue) as { state: number; n: number }[]).map(
      ({ state, n }) => [state, n],
    ),
  )
  const of = (what: Counted): number => counts.get(COUNT[what]) ?? 0
  const ready = of('queued')
  return depthFrom(queue, of, {
    oldestAgeMs: ready === 0 ? null : oldestAge(db, queue, ready, now),
    paused: db.sql('select 1 from paused where queue = ?').get(queue) !== undefined,
  })
}

function oldestAge(db: Connection, queue: string, ready: number, now: number): number | null {
  const { created } = db
    .sql(
      `select min(created) as created from (select created from ready join jobs on seq between first and last
       where ready.queue = ? order by ready.rank, first limit ?)`,
    )
    .get(queue, ready > SCAN_LIMIT ? 1 : SCAN_LIMIT) as { created: number | null }
  return created === null ? null : Math.max(0, now - created)
}
