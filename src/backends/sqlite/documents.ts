import type {
  Document,
  DocumentChange,
  DocumentQuery,
  Documents,
  DueDocuments,
  DueQuery,
} from '../../documents.ts'
import { pageOf } from '../../documents.ts'
import type { Wake } from '../wake.ts'
import { jobsIn } from '../wake.ts'
import { accept } from './accept.ts'
import type { Connection } from './connection.ts'
import type { Step } from './step.ts'
import type { Turns } from './turns.ts'

type Row = readonly [name: string, version: number, value: string, due: number | null]

const COLUMNS = 'name, version, value, due'

/** Documents in the file of the jobs. */
export function sqliteDocuments(db: Connection, turns: Turns, wake: Wake): Documents {
  return {
    list: async (query) => db.read(() => list(db, query)),
    due: async (query) => db.read(() => due(db, query)),
    write(changes) {
      const written = turns.run('synced', (step) => write(step, changes))
      // As with accepted jobs: who waits for one is given it in this very transaction.
      const queues = changes.flatMap(({ jobs = [] }) => jobs.map(({ queue }) => queue))
      for (const queue of new Set(queues)) wake.notify(jobsIn(queue))
      return written
    },
  }
}

function list(db: Connection, query: DocumentQuery): Document[] {
  const { kind, names, after = '' } = query
  if (names === undefined)
    return rows(
      db
        .list(`select ${COLUMNS} from documents where kind = ? and name > ? order by name limit ?`)
        .all(kind, after, pageOf(query)),
      kind,
    )
  const one = db.list(`select ${COLUMNS} from documents where kind = ? and name = ?`)
  return [...new Set(names)].flatMap((name) => rows(one.all(kind, name), kind))
}

function due(db: Connection, { kind, at, limit, after }: DueQuery): DueDocuments {
  const start = after === undefined ? ([NEVER, NO_NAME] as const) : ([after.dueAt, after.name] as const)
  const documents = rows(db.list(DUE).all(kind, at, start[0], ...start, limit), kind)
  const last = documents.length < limit ? undefined : documents.at(-1)
  const end = last?.dueAt === undefined ? ([at, NO_NAME] as const) : ([last.dueAt, last.name] as const)
  const next = db.sql(NEXT_DUE).get(kind, end[0], ...end) as { due: number } | undefined
  return { documents, ...(next === undefined ? {} : { nextAt: next.due }) }
}

/** `due >=` says again what the comparison of pairs implies: without it the index of what is due is not used. */
const NEXT_DUE = `select due from documents where kind = ? and due >= ? and (due, name) > (?, ?)
  order by due, name limit 1`
const DUE = `select ${COLUMNS} from documents where kind = ? and due <= ? and due >= ? and (due, name) > (?, ?)
  order by due, name limit ?`

const NEVER = Number.MIN_SAFE_INTEGER

/** Comes after every name: for SQLite any bytes come after any text. */
const NO_NAME = new Uint8Array()

/** False where the version is not the expected one. Jobs of one call are accepted together. */
function write(step: Step, changes: readonly DocumentChange[]): boolean[] {
  const made = changes.map((change) => apply(step, change))
  const jobs = changes.flatMap((change, nth) => (made[nth] === true ? (change.jobs ?? []) : []))
  if (jobs.length > 0) accept(step, jobs, undefined)
  return made
}

function apply({ db }: Step, { kind, name, expected, value, dueAt }: DocumentChange): boolean {
  if (value === undefined) {
    if (expected === 0)
      return db.sql('select 1 from documents where kind = ? and name = ?').get(kind, name) === undefined
    const gone = db.sql('delete from documents where kind = ? and name = ? and version = ?')
    return gone.run(kind, name, expected).changes === 1
  }
  if (expected === 0) {
    const fresh = db.sql('insert into documents values (?, ?, 1, ?, ?) on conflict do nothing')
    return fresh.run(kind, name, dueAt ?? null, value).changes === 1
  }
  const next = db.sql(
    'update documents set version = version + 1, due = ?, value = ? where kind = ? and name = ? and version = ?',
  )
  return next.run(dueAt ?? null, value, kind, name, expected).changes === 1
}

function rows(found: unknown[], kind: string): Document[] {
  return (found as Row[]).map(([name, version, value, due]) => ({
    kind,
    name,
    version,
    value,
    ...(due === null ? {} : { dueAt: due }),
  }))
}
