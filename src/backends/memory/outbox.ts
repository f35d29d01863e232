import type { OutboxWant } from '../../ledger.ts'
import type { Entry } from './entry.ts'
import { byRank } from './entry.ts'
import { Heap } from './heap.ts'
import type { MemoryStore } from './store.ts'

/** Marks what the broker has taken, then answers what can start now and is due to be published. */
export function outbox(store: MemoryStore, want: OutboxWant): Entry[] {
  if (store.publishing === undefined) turnOn(store)
  for (const id of want.published) {
    const entry = store.entries.get(id)
    if (entry?.open !== true || entry.publishAt === undefined) continue
    entry.publishAt = undefined
    entry.publishedAt = store.now
  }
  if (want.lost !== undefined) publishLost(store, want.lost.queue, want.lost.markedBefore)
  const entries: Entry[] = []
  const due = store.publishing
  for (
    let next = due?.peek();
    next !== undefined && entries.length < want.limit && next.at <= store.now;
    next = due?.peek()
  ) {
    due?.pop()
    if (!next.entry.open || next.entry.publishAt !== next.at) continue
    entries.push(next.entry)
    next.entry.publishAt = undefined
  }
  for (const entry of entries) store.publish(entry, store.now + want.againMs)
  return entries.sort((a, b) => (byRank(a, b) ? -1 : 1))
}

/** From the first call on, the store keeps track of what is to be published. */
function turnOn(store: MemoryStore): void {
  store.publishing = new Heap((a, b) => a.at < b.at || (a.at === b.at && a.entry.seq < b.entry.seq))
  for (const entry of store.entries.values()) if (entry.open) store.publish(entry, store.now)
}

function publishLost(store: MemoryStore, queue: string, markedBefore: number): void {
  for (const entry of store.readyIn(queue).items) {
    if (
      !entry.open ||
      entry.publishAt !== undefined ||
      (entry.publishedAt ?? Number.POSITIVE_INFINITY) >= markedBefore
    )
      continue
    entry.publishedAt = undefined
    store.publish(entry, store.now)
  }
}

/** The messages of a paused queue may have come and found nothing to start. */
export function republish(store: MemoryStore, queue: string): void {
  if (store.publishing === undefined) return
  for (const entry of store.readyIn(queue).items) if (entry.open) store.publish(entry, store.now)
}
