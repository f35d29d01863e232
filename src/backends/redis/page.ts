import type { Stored } from './codec.ts'
import { readStored } from './codec.ts'
import type { Connection } from './connection.ts'
import type { Kinds } from './kinds.ts'
import { scripts } from './scripts/index.ts'

/** A job as scripts answer it: id, body, header, notes, end of its lease. */
const WIDTH = 5

export interface Row {
  readonly stored: Stored
  readonly notes: string
  readonly leaseUntil?: number
}

/** Jobs of the store with the number of the last event; `last`: where a walk goes on, `many`, or empty. */
export interface PageAnswer {
  readonly events: number
  readonly last: string
  readonly rows: readonly Row[]
}

/** Asks for jobs by id, by an index, or in the order of acceptance before a number. */
export async function askPage(at: Connection, args: Record<string, unknown>): Promise<PageAnswer> {
  const [events, last, kinds, rows] = (await at.run(scripts.page, { args })) as [
    string,
    string,
    string[],
    string[],
  ]
  at.kinds.learn(kinds)
  return { events: Number(events), last, rows: rowsOf(rows, at.kinds) }
}

export async function look(at: Connection, ids: readonly string[]): Promise<Stored[]> {
  return (await askPage(at, { ids })).rows.map(({ stored }) => stored)
}

export function idsIn(answer: readonly string[]): string[] {
  return answer.filter((_, at) => at % WIDTH === 0)
}

/** Those that are gone are left out, and those that cannot be read, for which nothing can be decided. */
export function rowsOf(answer: readonly string[], kinds: Kinds): Row[] {
  const rows: Row[] = []
  for (let at = 0; at < answer.length; at += WIDTH) {
    const [id = '', body = '', header = '', notes = '', lease = ''] = answer.slice(at, at + WIDTH)
    const stored = readStored(id, body, header, kinds)
    if (stored === undefined) continue
    rows.push({ stored, notes, ...(lease === '' ? {} : { leaseUntil: Number(lease) }) })
  }
  return rows
}
