import type { Document, DocumentQuery, Documents, DueDocuments } from '../../documents.ts'
import { pageOf } from '../../documents.ts'
import type { Wake } from '../wake.ts'
import { eventsOf, jobsIn } from '../wake.ts'
import { arrivalsOf } from './accept.ts'
import type { Call, Connection } from './connection.ts'
import { bringing } from './kinds.ts'
import { scripts } from './scripts/index.ts'

/** A document is `version|dueAt|value` in a hash of its kind; its name is in a sorted set, and when it is due in another. */
export function redisDocuments(at: Connection, wake: Wake): Documents {
  const read = async (kind: string, names: readonly string[]): Promise<Document[]> => {
    if (names.length === 0) return []
    const values = (await at.command('HMGET', at.key(`docs:${kind}`), ...names)) as (string | null)[]
    return names.flatMap((name, nth) => documentOf(kind, name, values[nth] ?? null))
  }

  return {
    async list(query: DocumentQuery) {
      const { kind, names, after } = query
      if (names !== undefined) return read(kind, [...new Set(names)])
      const from = after === undefined ? '-' : `(${after}`
      const page = String(pageOf(query))
      return read(
        kind,
        (await at.command(
          'ZRANGEBYLEX',
          at.key(`docnames:${kind}`),
          from,
          '+',
          'LIMIT',
          '0',
          page,
        )) as string[],
      )
    },

    async due({ kind, at: instant, limit, after }): Promise<DueDocuments> {
      const index = at.key(`docdue:${kind}`)
      // Those of the same instant as `after`, and before it by name, are read in vain.
      const from = after === undefined ? '-inf' : String(after.dueAt)
      const skip = after === undefined ? 0 : await placeAfter(at, index, after)
      const due = (await at.command(
        'ZRANGEBYSCORE',
        index,
        from,
        String(instant),
        'LIMIT',
        String(skip),
        String(limit),
      )) as string[]
      const documents = await read(kind, due)
      const last = documents.at(-1) ?? after
      const next = await nextAfter(at, index, last)
      return { documents, ...(next === undefined ? {} : { nextAt: next }) }
    },

    async write(changes) {
      if (changes.length === 0) return []
      const jobs = changes.flatMap(({ jobs = [] }) => jobs)
      const made = (await bringing(at, jobs, () => at.run(scripts.documents, told(at, changes)))) as number[]
      const queues = new Set(jobs.map(({ queue }) => queue))
      for (const queue of queues) wake.notify(jobsIn(queue))
      if (queues.size > 0) {
        wake.notify(eventsOf())
        wake.notify(eventsOf('accepted'))
      }
      return made.map((one) => one === 1)
    },
  }
}

/** The changes as the script makes them, the jobs of all behind. */
function told(at: Connection, changes: Parameters<Documents['write']>[0]): Call {
  const now = at.now()
  const kinds: Record<string, string> = {}
  const texts: string[] = []
  const made = changes.map(({ kind, name, expected, value, dueAt, jobs = [] }) => {
    const arrivals = arrivalsOf(jobs, now, at.kinds)
    texts.push(...arrivals.texts)
    Object.assign(kinds, arrivals.args.kinds)
    const groups = jobs.length > 0 ? { groups: arrivals.args.groups } : {}
    return { kind, name, expected, value, due: dueAt, ...groups }
  })
  return { args: { changes: made, kinds }, texts }
}

function documentOf(kind: string, name: string, text: string | null): Document[] {
  if (text === null) return []
  const [, version, dueAt = '', value = ''] = /^(\d+)\|(-?\d*)\|([\s\S]*)$/.exec(text) ?? []
  return [{ kind, name, version: Number(version), value, ...(dueAt === '' ? {} : { dueAt: Number(dueAt) }) }]
}

interface Place {
  readonly dueAt?: number
  readonly name: string
}

/** How many of the instant of a place come before it, or are it. */
async function placeAfter(at: Connection, index: string, { dueAt = 0, name }: Place): Promise<number> {
  const same = (await at.command('ZRANGEBYSCORE', index, String(dueAt), String(dueAt))) as string[]
  const from = Buffer.from(name)
  return same.filter((one) => Buffer.compare(Buffer.from(one), from) <= 0).length
}

async function nextAfter(
  at: Connection,
  index: string,
  last: Place | undefined,
): Promise<number | undefined> {
  const from = last === undefined ? '-inf' : String(last.dueAt ?? 0)
  const skip = last === undefined ? 0 : await placeAfter(at, index, last)
  const found = (await at.command(
    'ZRANGEBYSCORE',
    index,
    from,
    '+inf',
    'WITHSCORES',
    'LIMIT',
    String(skip),
    '1',
  )) as unknown[]
  // A pair, flat or not: that depends on the version of the protocol.
  const [, next] = found.flat()
  return next === undefined ? undefined : Number(next)
}
