import type { Depth } from '../../broker.ts'
import type { JobRecord } from '../../job/job.ts'
import type { Action, FindQuery, JobEvent, JobEventType, Page } from '../../ledger.ts'
import { jobEventTypes } from '../../ledger.ts'
import { counted, depthFrom } from '../counts.ts'
import type { EventsPage } from '../database.ts'
import { cursorOf } from '../database.ts'
import type { Stored } from './codec.ts'
import { letters, marksOf, recordOf } from './codec.ts'
import type { Connection } from './connection.ts'
import type { PageAnswer } from './page.ts'
import { askPage, look } from './page.ts'
import { scripts } from './scripts/index.ts'

/** So many jobs of a state are read at once and sorted; of more, the newest jobs are walked. */
const FEW = 2000
/** So many jobs are read in one call, and so many are passed over. */
const WALK = 500
const LOOK = 4000
/** The age of the oldest job is exact up to so many ready jobs of a priority. */
const AGES = 1000
/** So many queues are looked at in one script: each may cost it as much as the ages of all that are ready. */
const QUEUES = 10
const EVENT_ENTRIES = 100

/** States whose jobs are in a sorted set of their own. */
const indexes = { running: 'leases', scheduled: 'scheduled', dead: 'dead' } as const

interface Found {
  readonly seq: number
  readonly record: JobRecord
}

/** A page of jobs, newest first; the cursor is the number of the last one. */
export async function findPage(at: Connection, query: FindQuery): Promise<Page> {
  const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
  const before = query.cursor === undefined ? Number.POSITIVE_INFINITY : cursorOf(query.cursor)
  const page: Found[] = []
  let eventId: number | undefined
  for await (const { found, events } of batches(at, query, before)) {
    // The first read: what was written after it is told by an event after it.
    eventId ??= events
    for (const one of found) if (one.seq < before && fits(one.record, query)) page.push(one)
    if (page.length > limit) break
  }
  const jobs = page.slice(0, limit)
  const next = page.length > limit ? { next: String(jobs.at(-1)?.seq) } : {}
  return { jobs: jobs.map(({ record }) => record), eventId: eventId ?? 0, ...next }
}

interface Batch {
  readonly found: readonly Found[]
  readonly events: number
}

async function* batches(at: Connection, query: FindQuery, before: number): AsyncGenerator<Batch> {
  const { ids, state, queue, task, from, to } = query
  if (ids !== undefined) {
    const wanted = [...new Set(ids)]
    for (let nth = 0; nth === 0 || nth < wanted.length; nth += 1000)
      yield sorted(await askPage(at, { ids: wanted.slice(nth, nth + 1000) }))
    return
  }
  const index = state !== undefined && state in indexes ? indexes[state as keyof typeof indexes] : undefined
  if (index !== undefined) {
    const answer = await askPage(at, { index, few: FEW })
    if (answer.last !== 'many') return yield sorted(answer)
  }
  const only = { queue, task, state: state && letters[state], from, to, marks: marksOf(query) }
  for (let next = before === Number.POSITIVE_INFINITY ? undefined : before; ; ) {
    const answer = await askPage(at, { ...only, before: next, limit: WALK, look: LOOK })
    yield sorted(answer)
    if (answer.last === '') return
    next = Number(answer.last)
  }
}

function sorted({ events, rows }: PageAnswer): Batch {
  const found = rows.map(({ stored, notes, leaseUntil }) => ({
    seq: stored.body.seq,
    record: recordOf(stored, notes, leaseUntil),
  }))
  return { found: found.sort((a, b) => b.seq - a.seq), events }
}

function fits(record: JobRecord, { queue, state, task, key, tenant, from, to }: FindQuery): boolean {
  return (
    (queue === undefined || record.queue === queue) &&
    (state === undefined || record.state === state) &&
    (task === undefined || record.task === task) &&
    (key === undefined || record.key === key) &&
    (tenant === undefined || record.tenant === tenant) &&
    (from === undefined || record.createdAt >= from) &&
    (to === undefined || record.createdAt < to)
  )
}

/** The dead letters that a bulk action means, in the order of acceptance as far as they are few. */
export async function deadIds(
  at: Connection,
  { filter, before, limit }: Extract<Action, { type: 'redrive' | 'purge' }>,
): Promise<Stored[]> {
  const { queue, task, ids } = filter
  const among =
    ids === undefined
      ? ((await at.command('ZRANGEBYSCORE', at.key('dead'), '-inf', `(${before}`)) as string[])
      : [...new Set(ids)]
  const found: Stored[] = []
  for (let from = 0; from < among.length && found.length < limit; from += 1000) {
    for (const stored of await look(at, among.slice(from, from + 1000))) {
      const { job } = stored.body
      if (stored.header?.s !== 'x' || (stored.header.e ?? 0) >= before) continue
      if ((queue === undefined || job.queue === queue) && (task === undefined || job.task === task))
        found.push(stored)
    }
  }
  return found.sort((a, b) => a.body.seq - b.body.seq).slice(0, limit)
}

/** Each that ever had a job, or is paused. */
export async function queuesIn(at: Connection): Promise<string[]> {
  return ((await at.run(scripts.queues, { args: {} })) as string[]).sort()
}

export async function depthsOf(at: Connection, queues: readonly string[]): Promise<Depth[]> {
  const depths: Depth[] = []
  for (let from = 0; from < queues.length; from += QUEUES) {
    const some = queues.slice(from, from + QUEUES)
    const args = { queues: some, counted, few: AGES }
    const answers = (await at.run(scripts.depth, { args })) as DepthAnswer[]
    const now = at.now()
    for (const [nth, [numbers, paused, oldest]] of answers.entries())
      depths.push(
        depthFrom(some[nth] ?? '', (what) => Number(numbers[counted.indexOf(what)] ?? 0), {
          oldestAgeMs: oldest === '' ? null : Math.max(0, now - Number(oldest)),
          paused: paused === 1,
        }),
      )
  }
  return depths
}

type DepthAnswer = readonly [numbers: readonly (string | null)[], paused: number, oldest: string]

/** The events after a number; from now on when it is undefined. */
export async function eventsPage(
  at: Connection,
  after: number | undefined,
  only?: JobEventType,
): Promise<EventsPage> {
  const types = only === undefined ? undefined : 1 << jobEventTypes.indexOf(only)
  const [last, first, rows] = (await at.run(scripts.events, {
    args: { after, types, limit: EVENT_ENTRIES },
  })) as [number, number, string[]]
  if (after === undefined || after >= last)
    return { events: [], next: after === undefined ? last : Math.min(after, last), gap: false }
  const events: JobEvent[] = []
  let read = last
  for (let row = 0; row < rows.length; row += 4) {
    const [start, end, when, told = '[]'] = rows.slice(row, row + 4)
    read = Number(end)
    for (const event of unpack(Number(start), Number(when), told))
      if (event.eventId > after && (only === undefined || event.type === only)) events.push(event)
  }
  const isAll = rows.length < EVENT_ENTRIES * 4
  return { events, next: isAll ? Math.max(last, read) : read, gap: after + 1 < first }
}

type Told = [
  type: number,
  queue: string,
  task: string,
  attempt: number,
  n: number,
  prefix: string,
  rests: string,
  data?: string,
]

function unpack(first: number, at: number, text: string): JobEvent[] {
  let eventId = first
  return (JSON.parse(text) as Told[]).flatMap(([type, queue, task, attempt, n, prefix, rests, data]) =>
    (n === 1 ? [rests] : rests.split(' ')).map((rest) => ({
      eventId: eventId++,
      type: jobEventTypes[type] ?? 'gap',
      at,
      jobId: prefix + rest,
      queue,
      task,
      attempt,
      ...(data === undefined ? {} : { data }),
    })),
  )
}
