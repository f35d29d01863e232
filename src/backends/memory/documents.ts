import type {
  Document,
  DocumentChange,
  DocumentQuery,
  Documents,
  DueDocuments,
  DueQuery,
} from '../../documents.ts'
import { pageOf } from '../../documents.ts'
import { Heap } from './heap.ts'
import type { MemoryStore } from './store.ts'

/** What a ledger runs a call on its store with. */
type Call = <T>(work: (store: MemoryStore) => T) => Promise<T>

/** The reference for every other store of documents. */
export function memoryDocuments(call: Call): Documents {
  return {
    list: (query) => call(({ documents }) => documents.list(query)),
    due: (query) => call(({ documents }) => documents.due(query)),
    write: (changes) => call((store) => changes.map((change) => write(store, change))),
  }
}

function write(store: MemoryStore, change: DocumentChange): boolean {
  if (!store.documents.change(change)) return false
  for (const job of change.jobs ?? []) if (!store.entries.has(job.id)) store.accept(job)
  return true
}

interface Shelf {
  readonly byName: Map<string, Document>
  /** What has an instant; one that was written since stays inside until it comes up. */
  readonly alarms: Heap<Timed>
  /** The names in order, made when first asked for. */
  names: string[] | undefined
}

type Timed = Document & { readonly dueAt: number }

/** Documents by kind and name. */
export class Shelves {
  readonly #kinds = new Map<string, Shelf>()

  list(query: DocumentQuery): Document[] {
    const shelf = this.#shelf(query.kind)
    if (query.names !== undefined)
      return [...new Set(query.names)].flatMap((name) => shelf.byName.get(name) ?? [])
    shelf.names ??= [...shelf.byName.keys()].sort(byBytes)
    const from = query.after === undefined ? 0 : placeAfter(shelf.names, query.after)
    return shelf.names.slice(from, from + pageOf(query)).flatMap((name) => shelf.byName.get(name) ?? [])
  }

  due({ kind, at, limit, after }: DueQuery): DueDocuments {
    const shelf = this.#shelf(kind)
    const [documents, before]: [Timed[], Timed[]] = [[], []]
    for (let next = nextOf(shelf); next !== undefined && next.dueAt <= at; next = nextOf(shelf)) {
      if (documents.length === limit) break
      const isBefore = after !== undefined && !isDueBefore(after, next)
      if (isBefore) before.push(next)
      else documents.push(next)
      shelf.alarms.pop()
    }
    const nextAt = nextOf(shelf)?.dueAt
    for (const document of [...before, ...documents]) shelf.alarms.push(document)
    return { documents, ...(nextAt === undefined ? {} : { nextAt }) }
  }

  /** False where the version is not the expected one. */
  change({ kind, name, expected, value, dueAt }: DocumentChange): boolean {
    const shelf = this.#shelf(kind)
    if ((shelf.byName.get(name)?.version ?? 0) !== expected) return false
    if (expected === 0 || value === undefined) shelf.names = undefined
    if (value === undefined) shelf.byName.delete(name)
    else {
      const document = { kind, name, version: expected + 1, value }
      const timed = dueAt === undefined ? undefined : { ...document, dueAt }
      shelf.byName.set(name, timed ?? document)
      if (timed !== undefined) shelf.alarms.push(timed)
    }
    return true
  }

  #shelf(kind: string): Shelf {
    const shelf = this.#kinds.get(kind)
    if (shelf !== undefined) return shelf
    const fresh: Shelf = { byName: new Map(), alarms: new Heap<Timed>(isDueBefore), names: undefined }
    this.#kinds.set(kind, fresh)
    return fresh
  }
}

type Place = Pick<Timed, 'dueAt' | 'name'>

function isDueBefore(a: Place, b: Place): boolean {
  return a.dueAt < b.dueAt || (a.dueAt === b.dueAt && byBytes(a.name, b.name) < 0)
}

/** The first that is due, once those that were written since are dropped. */
function nextOf({ byName, alarms }: Shelf): Timed | undefined {
  for (let next = alarms.peek(); next !== undefined; next = alarms.peek()) {
    if (byName.get(next.name) === next) return next
    alarms.pop()
  }
}

/** Where the names that come after this one begin. */
function placeAfter(names: readonly string[], after: string): number {
  let [low, high] = [0, names.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (byBytes(names[middle] ?? '', after) <= 0) low = middle + 1
    else high = middle
  }
  return low
}

/** As databases order text; JavaScript's own order differs beyond the first 65,536 characters of Unicode. */
function byBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
