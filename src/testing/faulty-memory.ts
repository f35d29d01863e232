import type { Backend, BackendOptions } from '../backend.ts'
import type { Entry } from '../backends/memory/entry.ts'
import { MemoryStore, openMemory } from '../backends/memory/index.ts'
import type { MessageBroker } from '../backends/registry.ts'
import type { Broker, Claim, Want } from '../broker.ts'
import type { Clock } from '../clock.ts'
import type { Job } from '../job/job.ts'
import type { Settlement } from '../job/state.ts'
import type { Ledger } from '../ledger.ts'
import type { AnyTask } from '../task.ts'
import { FaultPlan } from './faults.ts'
import type { Stillness } from './stillness.ts'

type Held = Settlement['claim']

/** A store that keeps a list of what it accepted, in order. */
class ListingStore extends MemoryStore {
  readonly accepted: Entry[] = []

  override accept(job: Job): void {
    super.accept(job)
    const entry = this.entries.get(job.id)
    if (entry !== undefined) this.accepted.push(entry)
  }
}

/** The memory backend behind a door: jobs pass only while it is open, and faults happen on the way. */
export class FaultyMemory implements MessageBroker {
  readonly faults: FaultPlan
  readonly #stillness: Stillness
  readonly #claiming = new Set<() => void>()
  readonly #held = new Map<Held, Claim>()
  readonly #crashing = new WeakSet<Held>()
  #store: ListingStore | undefined
  #isOpen = false
  #attempts = 0

  constructor(clock: Clock, tasks: readonly AnyTask[], stillness: Stillness) {
    this.#stillness = stillness
    this.faults = new FaultPlan(clock, tasks, () => this.#interrupt())
  }

  async open(options: BackendOptions): Promise<Backend> {
    const store = new ListingStore(options)
    this.#store = store
    const backend = openMemory(options, store)
    const { broker, ledger, documents } = backend
    return {
      ...backend,
      broker: this.#guarded(broker, {
        enqueue: (jobs, room) => this.#call(() => broker.enqueue(jobs, this.faults.room(room))),
        claim: (queue, want) => this.#claim(broker, store, queue, want),
        settle: (settlements) => this.#settle(broker, settlements),
        close: () => broker.close(),
      }),
      ...(ledger === undefined ? {} : { ledger: this.#guarded(ledger, this.#watching(ledger)) }),
      ...(documents === undefined ? {} : { documents: this.#guarded(documents, {}) }),
    }
  }

  /** Lets workers claim, or no longer. */
  set isOpen(isOpen: boolean) {
    this.#isOpen = isOpen
    this.#interrupt()
  }

  /** Attempts begun so far. */
  get attempts(): number {
    return this.#attempts
  }

  /** Every job accepted so far, in order. */
  get accepted(): readonly Entry[] {
    return this.#store?.accepted ?? []
  }

  /** Claims that a worker still has in its hands, the lost ones included. */
  get held(): readonly Claim[] {
    return [...this.#held.values()]
  }

  /** Whether the claim's lease is still the worker's. */
  isValid({ job, fence }: Claim): boolean {
    const record = this.#store?.entries.get(job.id)?.record
    return record?.state === 'running' && record.fence === fence
  }

  runningIn(queue: string): number {
    return this.#store?.tally.count(queue, 'running') ?? 0
  }

  /** A job of the queue that could be claimed now. */
  startableIn(queue: string): Entry | undefined {
    if (this.#store === undefined || this.#store.paused.has(queue)) return undefined
    return this.#store.readyIn(queue).items.find(({ open }) => open)
  }

  /** Forgets every job and fault. A handler that still runs finds its lease lost. */
  clear(): void {
    this.faults.clear()
    const store = this.#store
    if (store === undefined) return
    store.paused.clear()
    while (store.entries.size > 0) {
      for (const entry of store.entries.values()) {
        store.apply(entry, { type: entry.record.state === 'running' ? 'cancelled' : 'cancel' })
        store.forget(entry)
      }
      store.finish() // which may queue what follows the end of a job
    }
    store.accepted.length = 0
  }

  #interrupt(): void {
    for (const wake of [...this.#claiming]) wake()
  }

  /** The same part with some methods of our own; calls of the others are seen, and rejected while the backend is down. */
  #guarded<Part extends object>(part: Part, own: Partial<Part>): Part {
    return new Proxy(part, {
      get: (_, name) => {
        if (name in own) return Reflect.get(own, name)
        const member: unknown = Reflect.get(part, name)
        if (typeof member !== 'function') return member
        return (...given: unknown[]) => this.#call(() => member.apply(part, given))
      },
    })
  }

  #call<T>(call: () => T | Promise<T>): Promise<T> {
    return this.#stillness.during(this.#ifUp(call))
  }

  async #ifUp<T>(call: () => T | Promise<T>): Promise<T> {
    this.faults.checkUp()
    return call()
  }

  #watching(ledger: Ledger): Pick<Ledger, 'watch' | 'close'> {
    const { faults } = this
    return {
      async *watch(...asked) {
        faults.checkUp()
        for await (const events of ledger.watch(...asked)) {
          faults.checkUp()
          yield events
        }
      },
      close: () => ledger.close(),
    }
  }

  async #claim(
    broker: Broker,
    store: ListingStore,
    queue: string,
    want: Want & { readonly signal: AbortSignal },
  ): Promise<readonly Claim[]> {
    while (!want.signal.aborted) {
      this.faults.checkUp()
      const interrupt = new AbortController()
      const wake = (): void => interrupt.abort()
      this.#claiming.add(wake)
      want.signal.addEventListener('abort', wake)
      try {
        if (!this.#isOpen) await aborted(interrupt.signal)
        const claims = await broker.claim(queue, { ...want, signal: interrupt.signal })
        if (claims.length > 0) return claims.flatMap((claim) => this.#hand(claim, store))
      } finally {
        this.#claiming.delete(wake)
        want.signal.removeEventListener('abort', wake)
      }
    }
    return []
  }

  /** Gives a claim to the worker, with the faults that are planned for it. */
  #hand(claim: Claim, store: ListingStore): Claim[] {
    const { job, attempt } = claim
    const handed = this.faults.take('deliverTwice', job) ? [claim, { ...claim }] : [claim]
    for (const one of handed) this.#held.set(one, one)
    this.#attempts += handed.length
    this.#stillness.note()
    if (this.faults.take('crashAfterHandler', job)) for (const one of handed) this.#crashing.add(one)
    const entry = store.entries.get(job.id)
    if (entry !== undefined && this.faults.take('loseLease', job)) {
      const message = 'the test took the lease away'
      const fault = { code: 'LEASE_LOST', name: 'LeaseLost', message, attempt, at: store.now }
      store.apply(entry, { type: 'lapse', fault })
      store.finish()
    }
    return handed
  }

  /** What a dead worker would have said never arrives, and the worker here is told that it came too late. */
  #settle(broker: Broker, settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    for (const { claim } of settlements) this.#held.delete(claim)
    return this.#call(async () => {
      const answers = await broker.settle(settlements.filter(({ claim }) => !this.#crashing.has(claim)))
      let next = 0
      return settlements.map(({ claim }) => !this.#crashing.has(claim) && answers[next++] === true)
    })
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
}
