import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Beat, Claim, Depth, LeaseState, Room, Want } from '../../broker.ts'
import type { Documents } from '../../documents.ts'
import type { Job } from '../../job/job.ts'
import type { Settlement } from '../../job/state.ts'
import type {
  Acted,
  Action,
  FindQuery,
  JobEvent,
  JobEventType,
  Ledger,
  OutboxWant,
  Page,
} from '../../ledger.ts'
import { watchEvents } from '../database.ts'
import type { Wake } from '../wake.ts'
import { eventsOf, jobsIn } from '../wake.ts'
import { accept } from './accept.ts'
import { act } from './act.ts'
import { canClaim, claim, moveByTime, nextDueAt, shortenLeases } from './claim.ts'
import type { Connection } from './connection.ts'
import { sqliteDocuments } from './documents.ts'
import { readEvents } from './events.ts'
import { depth, find, queuesIn } from './find.ts'
import { Hints } from './hints.ts'
import { outbox } from './outbox.ts'
import { forgetOld } from './retention.ts'
import { renew, settle } from './settle.ts'
import type { Step } from './step.ts'
import { Turns } from './turns.ts'

const TIDY_MS = 5000
const TIDY_AGAIN_MS = 5

/** The whole store in one file: every call is one short transaction. */
export class SqliteLedger implements Ledger {
  readonly documents: Documents
  readonly #db: Connection
  readonly #wake: Wake
  readonly #options: BackendOptions
  readonly #hints: Hints
  readonly #turns: Turns
  #timer: { at: number; cancel: () => void } | undefined
  #cancelTidy: () => void
  #closed = false

  constructor(db: Connection, wake: Wake, options: BackendOptions) {
    this.#db = db
    this.#wake = wake
    this.#options = options
    this.#turns = new Turns(db, options.clock, (step) => this.#tell(step))
    this.documents = sqliteDocuments(db, this.#turns, wake)
    this.#hints = new Hints(db, () => this.#onHint())
    this.#cancelTidy = options.clock.after(TIDY_MS, () => void this.#tidy())
    this.#armFromFile()
  }

  record(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    const accepted = this.#turns.run('synced', (step) => accept(step, jobs, room))
    // Who waits for a job comes now, and is given it in the transaction that accepts it.
    for (const queue of new Set(jobs.map((job) => job.queue))) this.#wake.notify(jobsIn(queue))
    return accepted
  }

  async claim(queue: string, want: Want): Promise<readonly Claim[]> {
    if (want.limit < 1) return []
    await this.#moveByTime()
    return this.#turns.run(
      'written',
      (step) => claim(step, queue, want),
      () => (canClaim(this.#db, queue) ? undefined : []),
    )
  }

  settle(settlements: readonly Settlement[]): Promise<readonly boolean[]> {
    return this.#turns.run('written', (step) => settle(step, settlements))
  }

  renew(beats: readonly Beat[], leaseMs: number): Promise<readonly LeaseState[]> {
    return this.#turns.run('written', (step) => renew(step, beats, leaseMs))
  }

  async outbox(want: OutboxWant): Promise<readonly Job[]> {
    await this.#moveByTime()
    return this.#turns.run('written', (step) => outbox(step, want))
  }

  async find(query: FindQuery): Promise<Page> {
    await this.#moveByTime()
    return this.#db.read(() => find(this.#db, query))
  }

  async depth(queues?: readonly string[]): Promise<readonly Depth[]> {
    await this.#moveByTime()
    const depths: Depth[] = []
    for (const queue of queues ?? this.#db.read(() => queuesIn(this.#db))) {
      // Others get a turn: the age of the oldest job takes a while where many are ready.
      if (depths.length > 0) await new Promise((resolve) => setImmediate(resolve))
      depths.push(this.#db.read(() => depth(this.#db, queue, this.#options.clock.now())))
    }
    return depths
  }

  async act(action: Action): Promise<Acted> {
    await this.#moveByTime()
    return this.#turns.run('synced', (step) => act(step, action))
  }

  watch(
    after: number | undefined,
    signal: AbortSignal,
    only?: JobEventType,
  ): AsyncIterable<readonly JobEvent[]> {
    const from = after ?? this.#db.read(() => readEvents(this.#db, undefined)).next
    return watchEvents(
      (position) => this.#db.read(() => readEvents(this.#db, position, only)),
      this.#wake,
      from,
      signal,
      only,
    )
  }

  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#timer?.cancel()
    this.#cancelTidy()
    await this.#turns.idle()
    await this.#hints.close()
    this.#wake.notify()
    this.#db.close()
  }

  /** Wakes whom the step concerns, here and in the other processes. */
  #tell(step: Step): void {
    for (const queue of step.startable) this.#wake.notify(jobsIn(queue))
    this.#arm(step.dueAt)
    if (step.eventTypes.size === 0) return
    this.#wake.notify(eventsOf())
    for (const type of step.eventTypes) this.#wake.notify(eventsOf(type))
    if (!this.#closed) this.#hints.send()
  }

  #onHint(): void {
    if (this.#closed) return
    try {
      this.#armFromFile()
    } catch (error) {
      this.#options.logger.warn(
        { error: String(error) },
        'the next due job is unknown; looked for at the next poll',
      )
    }
    this.#wake.notify()
  }

  #armFromFile(): void {
    this.#arm(this.#db.read(() => nextDueAt(this.#db)) ?? Number.POSITIVE_INFINITY)
  }

  /** Sees to it that somebody looks when the next job is due. */
  #arm(at: number): void {
    if (at >= (this.#timer?.at ?? Number.POSITIVE_INFINITY) || this.#closed) return
    this.#timer?.cancel()
    const { clock, logger } = this.#options
    const cancel = clock.after(Math.max(0, at - clock.now()), () => {
      this.#timer = undefined
      this.#moveByTime()
        .then(() => this.#armFromFile())
        .catch((error: unknown) =>
          logger.warn({ error: String(error) }, 'moving due jobs failed; tried again at the next poll'),
        )
    })
    this.#timer = { at, cancel }
  }

  async #moveByTime(): Promise<void> {
    for (let more = true; more; ) {
      const due = this.#db.read(() => nextDueAt(this.#db))
      if (due === undefined || due > this.#options.clock.now()) return
      more = await this.#turns.run('written', moveByTime)
    }
  }

  async #tidy(): Promise<void> {
    let again = false
    try {
      again = await this.#turns.run('written', (step) => {
        shortenLeases(step)
        return forgetOld(step, this.#options.retention)
      })
    } catch (error) {
      if (!this.#closed)
        this.#options.logger.warn({ error: String(error) }, 'forgetting old jobs failed; tried again later')
    }
    if (!this.#closed)
      this.#cancelTidy = this.#options.clock.after(again ? TIDY_AGAIN_MS : TIDY_MS, () => void this.#tidy())
  }
}
