import type { JobEvent, JobEventType } from '../../ledger.ts'
import { jobEventTypes } from '../../ledger.ts'
import type { EventsPage } from '../database.ts'
import type { Connection } from './connection.ts'
import type { StoredEvents } from './step.ts'

/** At most so many rows of events (one a transaction) are read at once. */
const ROWS = 100

/** The events after a number, all or those of one type; from now on when it is undefined. */
export function readEvents(db: Connection, after: number | undefined, only?: JobEventType): EventsPage {
  const range = db
    .sql(
      'select (select first from events order by first limit 1) as first, (select last from events order by first desc limit 1) as last',
    )
    .get() as { first: number | null; last: number | null }
  const last = range.last ?? 0
  if (after === undefined || after >= last)
    return { events: [], next: after === undefined ? last : Math.min(after, last), gap: false }
  const rows = db
    .sql(
      `select first, last, at, body from events where first >= coalesce((select max(first) from events where first <= ?), 0)
       and types & ? order by first limit ?`,
    )
    .all(after + 1, only === undefined ? -1 : typesMask([only]), ROWS) as {
    first: number
    last: number
    at: number
    body: string
  }[]
  const events = rows
    .flatMap(unpack)
    .filter(({ eventId, type }) => eventId > after && (only === undefined || type === only))
  const read = rows.at(-1)?.last ?? last
  const next = rows.length < ROWS ? Math.max(last, read) : read
  return { events, next, gap: after + 1 < (range.first ?? 0) }
}

/** One bit a type: tells what is in a row without reading it. */
export function typesMask(types: Iterable<JobEventType>): number {
  let mask = 0
  for (const type of types) mask |= 1 << jobEventTypes.indexOf(type)
  return mask
}

function unpack({ first, at, body }: { first: number; at: number; body: string }): JobEvent[] {
  let eventId = first
  return (JSON.parse(body) as StoredEvents[]).flatMap(([type, queue, task, attempt, ids, data]) =>
    ids.map((jobId) => ({
      eventId: eventId++,
      type,
      at,
      jobId,
      queue,
      task,
      attempt,
      ...(data === undefined ? {} : { data }),
    })),
  )
}
