import type { LostMessages, OutboxWant } from '../../ledger.ts'
import type { Entry } from './entry.ts'
import { byRank } from './entry.ts'
import { Heap } from './heap.ts'
import type { MemoryStore } from './store.ts'

interface Owed {
  readonly at: number
  readonly entry: Entry
}

/**
 * The messages of a store: which jobs are owed one, and for which one may be out. A job that cannot start any more stays out
 * until its message is spent, by whomever.
 */
export class Outbox {
  readonly #store: MemoryStore
  readonly #owed = new Heap<Owed>((a, b) => a.at < b.at || (a.at === b.at && a.entry.seq < b.entry.seq))
  /** By queue, longest out first: since when. */
  readonly #out = new Map<string, Map<Entry, number>>()

  constructor(store: MemoryStore) {
    this.#store = store
    for (const entry of store.entries.values()) if (entry.open) this.owe(entry)
  }

  /** Whatever is out, one more is to be published for this job at once, if it can start then. */
  owe(entry: Entry): void {
    this.#outIn(entry.record.queue).delete(entry)
    this.#oweAt(entry, 0)
  }

  /** A claim of these jobs spends so many messages. */
  spend(queue: string, messages: number, taken: readonly Entry[]): void {
    const out = this.#outIn(queue)
    let left = messages
    for (const entry of taken) {
      entry.owedAt = undefined
      if (out.delete(entry)) left--
    }
    for (const entry of out.keys()) {
      if (left-- <= 0) break
      this.owe(entry)
    }
  }

  /** What waits in a paused queue was owed nothing. */
  resume(queue: string): void {
    const out = this.#outIn(queue)
    for (const entry of this.#store.readyIn(queue).items) if (entry.open && !out.has(entry)) this.owe(entry)
  }

  take({ published, limit, againMs, lost }: OutboxWant): Entry[] {
    for (const id of published) {
      const entry = this.#store.entries.get(id)
      if (entry !== undefined && this.#outIn(entry.record.queue).has(entry)) entry.owedAt = undefined
    }
    if (lost !== undefined) this.#oweLost(lost)
    const entries = this.#due(limit)
    for (const entry of entries) {
      const out = this.#outIn(entry.record.queue)
      out.delete(entry)
      out.set(entry, this.#store.now)
      this.#oweAt(entry, this.#store.now + againMs)
    }
    return entries.sort((a, b) => (byRank(a, b) ? -1 : 1))
  }

  #due(limit: number): Entry[] {
    const entries: Entry[] = []
    while (entries.length < limit) {
      const next = this.#owed.peek()
      if (next === undefined || next.at > this.#store.now) break
      this.#owed.pop()
      const { entry } = next
      if (entry.owedAt !== next.at) continue
      entry.owedAt = undefined
      if (!entry.open) continue
      if (this.#store.paused.has(entry.record.queue)) this.#outIn(entry.record.queue).delete(entry)
      else entries.push(entry)
    }
    return entries
  }

  #oweLost({ queue, messages, before }: LostMessages): void {
    const { now } = this.#store
    const out = this.#outIn(queue)
    const old = [...out].filter(([, since]) => since < before || since > now)
    const missing = messages === null ? 1 : Math.max(0, out.size - messages)
    for (const [entry] of old.slice(0, missing)) this.owe(entry)
  }

  #oweAt(entry: Entry, at: number): void {
    entry.owedAt = at
    this.#owed.push({ at, entry })
  }

  #outIn(queue: string): Map<Entry, number> {
    let out = this.#out.get(queue)
    if (out === undefined) {
      out = new Map()
      this.#out.set(queue, out)
    }
    return out
  }
}
