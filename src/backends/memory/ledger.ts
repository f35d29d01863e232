import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from '../../broker.ts'
import type { Documents } from '../../documents.ts'
import { BackendError } from '../../job/errors.ts'
import type { Job, JobRecord } from '../../job/job.ts'
import { MAX_LOG_LINES } from '../../job/job.ts'
import { canBeMoved, jobOf } from '../../job/past.ts'
import type { Settlement } from '../../job/state.ts'
import type {
  Acted,
  Action,
  ActVerdict,
  DeadFilter,
  FindQuery,
  JobEvent,
  JobEventType,
  Ledger,
  OutboxWant,
  Page,
} from '../../ledger.ts'
import { cursorOf, watchEvents } from '../database.ts'
import { limitMet } from '../room.ts'
import { memoryDocuments } from './documents.ts'
import type { Entry } from './entry.ts'
import { Outbox } from './outbox.ts'
import type { MemoryStore } from './store.ts'

/** The reference for every other ledger: what it answers is right. Nothing outlives the process. */
export class MemoryLedger implements Ledger {
  readonly documents: Documents = memoryDocuments((work) => this.#call(work))
  readonly #store: MemoryStore
  #closed = false

  constructor(store: MemoryStore) {
    this.#store = store
  }

  record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    return this.#call((store) => jobs.map((job) => accept(store, job, room)))
  }

  claim(queue: string, want: Want): Promise<readonly Claim[]> {
    return this.#timely((store) => {
      const claims: Claim[] = []
      const taken: Entry[] = []
      const ready = store.readyIn(queue)
      while (claims.length < want.limit && !store.paused.has(queue)) {
        const entry = ready.pop()
        if (entry === undefined) break
        entry.isInReady = false
        const leaseUntil = store.now + want.leaseMs
        if (!entry.open || !store.apply(entry, { type: 'claim', leaseUntil, worker: want.worker })) continue
        const { attempt, fence } = entry.record
        claims.push({ job: jobOf(entry.record), attempt, fence, leaseUntil })
        taken.push(entry)
      }
      store.outbox?.spend(queue, want.limit, taken)
      return claims
    })
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#call((store) =>
      settlements.map((settlement) => {
        const entry = held(store, settlement.claim)
        return entry !== undefined && store.apply(entry, settlement)
      }),
    )
  }

  renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]> {
    return this.#call((store) =>
      beats.map(({ claim, progress, log }) => {
        const entry = held(store, claim)
        if (entry === undefined) return 'lost'
        store.apply(entry, { type: 'renew', leaseUntil: store.now + leaseMs })
        if (progress !== undefined) {
          entry.record = { ...entry.record, progress }
          store.emit(entry, 'progress', progress)
        }
        if (log !== undefined)
          entry.record = { ...entry.record, log: [...entry.record.log, ...log].slice(-MAX_LOG_LINES) }
        return entry.record.cancelling === true ? 'cancelled' : 'held'
      }),
    )
  }

  outbox(want: OutboxWant): Promise<readonly Job[]> {
    return this.#timely((store) => {
      store.outbox ??= new Outbox(store)
      return store.outbox.take(want).map(({ record }) => jobOf(record))
    })
  }

  find(query: FindQuery): Promise<Page> {
    return this.#timely((store) => {
      const limit = Math.min(Math.max(query.limit ?? 100, 1), 1000)
      const before = query.cursor === undefined ? Number.POSITIVE_INFINITY : cursorOf(query.cursor)
      const page: Entry[] = []
      let next: string | undefined
      for (const entry of newestFirst(store, query.ids)) {
        if (entry.seq >= before || !fits(entry.record, query)) continue
        if (page.length === limit) {
          next = String(page.at(-1)?.seq)
          break
        }
        page.push(entry)
      }
      return {
        jobs: page.map(({ record }) => record),
        eventId: store.events.last,
        ...(next === undefined ? {} : { next }),
      }
    })
  }

  depth(queues?: readonly string[]): Promise<readonly Depth[]> {
    return this.#timely((store) => (queues ?? store.queues).map((queue) => depthIn(store, queue)))
  }

  act(action: Action): Promise<Acted> {
    return this.#timely((store): Acted => {
      switch (action.type) {
        case 'cancel':
          return each(action.ids, (id) => cancel(store, id))
        case 'retry':
          return each(action.ids, (id) => revive(store, id))
        case 'redrive':
          return bulk(dead(store, action), (entry) => store.apply(entry, { type: 'revive' }))
        case 'purge':
          return bulk(dead(store, action), (entry) => store.forget(entry))
        case 'pause':
          store.paused.add(action.queue)
          return { count: 1, verdicts: [] }
        case 'resume':
          store.paused.delete(action.queue)
          store.outbox?.resume(action.queue)
          store.startable(action.queue)
          return { count: 1, verdicts: [] }
        case 'forget':
          return each(action.ids, (id) => letGo(store, id))
      }
    })
  }

  watch(
    after: number | undefined,
    signal: AbortSignal,
    only?: JobEventType,
  ): AsyncIterable<readonly JobEvent[]> {
    const { events, wake } = this.#store
    const read = (position: number | undefined) => {
      this.#checkOpen()
      const page = events.read(position)
      return only === undefined ? page : { ...page, events: page.events.filter(({ type }) => type === only) }
    }
    return watchEvents(read, wake, after ?? events.last, signal, only)
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#store.wake.notify()
  }

  async #call<T>(work: (store: MemoryStore) => T): Promise<T> {
    this.#checkOpen()
    const result = work(this.#store)
    this.#store.finish()
    return result
  }

  /** A call before which time has done its work. */
  #timely<T>(work: (store: MemoryStore) => T): Promise<T> {
    return this.#call((store) => {
      store.moveByTime()
      store.follow()
      return work(store)
    })
  }

  #checkOpen(): void {
    if (this.#closed) throw new BackendError('CLOSED', 'the memory backend is closed')
  }
}

function accept(store: MemoryStore, job: Job, room: Room | undefined): Accepted {
  const { id, queue, idempotency, tenant } = job
  const before = idempotency === undefined ? undefined : store.keys.get(idempotency.key)?.record
  if (before !== undefined) {
    const isSame = before.idempotency?.fingerprint === idempotency?.fingerprint
    return { id: before.id, status: isSame ? 'duplicate' : 'mismatch' }
  }
  const named = store.entries.get(id)?.record
  if (named !== undefined) return { id, status: named.tenant === tenant ? 'duplicate' : 'taken' }
  const limit = room && limitMet(store.tally.waitingIn(queue), Buffer.byteLength(job.payload), room(queue))
  if (limit !== undefined) return { id, status: 'full', limit }
  store.accept(job)
  return { id, status: 'queued' }
}

function depthIn(store: MemoryStore, queue: string): Depth {
  const { tally } = store
  let oldest = Number.POSITIVE_INFINITY
  for (const { open, record } of store.readyIn(queue).items)
    if (open) oldest = Math.min(oldest, record.createdAt)
  return {
    queue,
    ready: tally.count(queue, 'queued'),
    running: tally.count(queue, 'running'),
    scheduled: tally.count(queue, 'scheduled'),
    dead: tally.count(queue, 'dead'),
    waitingBytes: tally.waitingIn(queue).bytes,
    oldestAgeMs: oldest === Number.POSITIVE_INFINITY ? null : Math.max(0, store.now - oldest),
    paused: store.paused.has(queue),
    exact: true,
    totals: tally.totalsOf(queue),
  }
}

function held(store: MemoryStore, { job, fence }: Settlement['claim']): Entry | undefined {
  const entry = store.entries.get(job.id)
  return entry?.record.state === 'running' && entry.record.fence === fence ? entry : undefined
}

function newestFirst(store: MemoryStore, ids: readonly string[] | undefined): Entry[] {
  if (ids === undefined) return [...store.entries.values()].reverse()
  const entries = [...new Set(ids)].map((id) => store.entries.get(id)).filter((entry) => entry !== undefined)
  return entries.sort((a, b) => b.seq - a.seq)
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

function dead(
  store: MemoryStore,
  { filter, before, limit }: { filter: DeadFilter; before: number; limit: number },
): Entry[] {
  const { queue, task, ids } = filter
  const among = ids === undefined ? undefined : new Set(ids)
  const entries: Entry[] = []
  for (const entry of store.entries.values()) {
    const { record } = entry
    if (entries.length >= limit) break
    if (record.state !== 'dead' || (record.endedAt ?? 0) >= before || among?.has(record.id) === false)
      continue
    if ((queue === undefined || record.queue === queue) && (task === undefined || record.task === task))
      entries.push(entry)
  }
  return entries
}

function cancel(store: MemoryStore, id: string): ActVerdict {
  const entry = store.entries.get(id)
  if (entry === undefined) return 'unknown'
  const wasRunning = entry.record.state === 'running'
  if (!store.apply(entry, { type: 'cancel' })) return 'ended'
  return wasRunning ? 'cancelling' : 'done'
}

function letGo(store: MemoryStore, id: string): ActVerdict {
  const entry = store.entries.get(id)
  if (entry === undefined) return 'unknown'
  if (!canBeMoved(entry.record.state)) return 'refused'
  store.letGo(entry)
  return 'done'
}

function revive(store: MemoryStore, id: string): ActVerdict {
  const entry = store.entries.get(id)
  if (entry === undefined) return 'unknown'
  return store.apply(entry, { type: 'revive' }) ? 'done' : 'refused'
}

function each(ids: readonly string[], one: (id: string) => ActVerdict): Acted {
  const verdicts = ids.map(one)
  return {
    count: verdicts.filter((verdict) => verdict === 'done' || verdict === 'cancelling').length,
    verdicts,
  }
}

function bulk(entries: readonly Entry[], one: (entry: Entry) => unknown): Acted {
  for (const entry of entries) one(entry)
  return { count: entries.length, verdicts: [] }
}
