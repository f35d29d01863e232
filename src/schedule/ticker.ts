import type { Backend } from '../backend.ts'
import { breath } from '../batch.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Document, Documents } from '../documents.ts'
import { BackendError, OffloadError, shown } from '../job/errors.ts'
import type { Logger } from '../log.ts'
import type { AnyTask } from '../task.ts'
import { KIND } from './stored.ts'
import type { Tick } from './tick.ts'
import { busyOf, changeOf, placedAnew, tickIn } from './tick.ts'

/** Documents of one look, and jobs of one write, at most. */
const BATCH = 1000
const MOST_JOBS = 5000
/** Somebody looks this often, whatever was said of the next tick. */
const POLL_MS = 1000
/** Ticks closer together than this are made together. */
const LEAST_WAIT_MS = 10
/** Who finds that another process makes the ticks looks so much later, at random up to twice that, to take over. */
const STAND_BY_MS = 50
/** A clock that went back further than this was set. */
const CLOCK_BACK_MS = 1000
const MOST_WARNINGS = 100

export interface TickerParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly tasks: ReadonlyMap<string, AnyTask>
  readonly newId: (now: number) => string
  readonly payloadBytes: number
}

/** Where a sweep goes on: behind what is due and not ours. */
interface Place {
  readonly dueAt: number
  readonly name: string
}

/**
 * Makes the jobs of the ticks that are due. Any number of processes may do so at once: each tick is one change of one
 * version of one document, with its jobs, so it is made once whoever is first and whoever is killed.
 */
export class Ticker {
  readonly #parts: TickerParts
  readonly #warned = new Set<string>()
  #wake = new AbortController()
  #clockWas = Number.POSITIVE_INFINITY
  #standsBy = false
  #foreign: { readonly place: Place; readonly until: number } | undefined
  #inTrouble = false

  constructor(parts: TickerParts) {
    this.#parts = parts
  }

  /** Looks now: something may have become due earlier than was known. */
  look(): void {
    this.#wake.abort()
  }

  /** Ticks until `signal` aborts. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#parts
    const wake = (): void => this.#wake.abort()
    signal.addEventListener('abort', wake, { once: true })
    for (let failures = 0; !signal.aborted; ) {
      this.#wake = new AbortController()
      let waitMs: number
      try {
        waitMs = await this.#once(signal)
        failures = 0
        this.#recovered()
      } catch (error) {
        this.#failed(error)
        waitMs = LEAST_WAIT_MS + random() * Math.min(5000, 100 * 2 ** failures++)
      }
      if (!signal.aborted) await sleep(clock, waitMs, this.#wake.signal, POLL_MS)
    }
  }

  /** One look: answers how long to wait for the next. */
  async #once(signal: AbortSignal): Promise<number> {
    const { documents } = await this.#parts.open()
    if (documents === undefined) return Number.POSITIVE_INFINITY
    const { clock, random } = this.#parts
    const now = clock.now()
    if (this.#clockWas - now > CLOCK_BACK_MS) await this.#placeAllAnew(documents, now, signal)
    this.#clockWas = now
    const nextAt = await this.#sweep(documents, now, signal)
    const waitMs = Math.max(LEAST_WAIT_MS, nextAt - clock.now())
    return waitMs + (this.#standsBy ? STAND_BY_MS * (1 + random()) : 0)
  }

  /** Makes everything that is due, a batch at a time; answers when the next is. */
  async #sweep(documents: Documents, now: number, signal: AbortSignal): Promise<number> {
    let nextAt = Number.POSITIVE_INFINITY
    let after = this.#foreign !== undefined && now < this.#foreign.until ? this.#foreign.place : undefined
    for (let onlyForeign = true; ; ) {
      const due = await documents.due({
        kind: KIND,
        at: now,
        limit: BATCH,
        ...(after === undefined ? {} : { after }),
      })
      const ticks = due.documents.flatMap((document) =>
        this.#guarded(document, () => tickIn(document, this.#parts.tasks)),
      )
      nextAt = Math.min(nextAt, await this.#make(documents, ticks, now))
      if (ticks.length > 0 && this.#standsBy) return now
      const last = due.documents.at(-1)
      if (signal.aborted || due.documents.length < BATCH || last?.dueAt === undefined)
        return Math.min(nextAt, due.nextAt ?? nextAt)
      after = { dueAt: last.dueAt, name: last.name }
      await breath()
      onlyForeign &&= ticks.length === 0
      if (onlyForeign) this.#foreign = { place: after, until: now + POLL_MS }
    }
  }

  /** Answers when the first of them is due again. */
  async #make(documents: Documents, ticks: readonly Tick[], now: number): Promise<number> {
    if (ticks.length === 0) return Number.POSITIVE_INFINITY
    const { ledger } = await this.#parts.open()
    const busy = await busyOf(ticks, ledger)
    const making = { ...this.#parts, now }
    const changes = ticks.flatMap((tick) => this.#guarded(tick.document, () => changeOf(tick, making, busy)))
    for (let from = 0; from < changes.length; ) {
      let to = from
      for (let jobs = 0; to < changes.length && (to === from || jobs < MOST_JOBS); to++)
        jobs += changes[to]?.jobs?.length ?? 0
      const made = await this.#write(documents, changes.slice(from, to))
      if (made.length > 0) this.#standsBy = made.includes(false)
      from = to
    }
    return Math.min(...changes.map(({ dueAt }) => dueAt ?? Number.POSITIVE_INFINITY))
  }

  /** One that cannot be written must not hold up the others. */
  async #write(
    documents: Documents,
    changes: Parameters<Documents['write']>[0],
  ): Promise<readonly boolean[]> {
    try {
      return await documents.write(changes)
    } catch (error) {
      if (error instanceof BackendError) throw error
      for (const change of changes)
        await documents.write([change]).catch((reason: unknown) => this.#warn(change, reason))
      return []
    }
  }

  /** At the start, and when the clock went back: what was placed while a clock was ahead would stand still for so long. */
  async #placeAllAnew(documents: Documents, now: number, signal: AbortSignal): Promise<void> {
    for (let after: string | undefined; !signal.aborted; ) {
      const page = await documents.list({
        kind: KIND,
        limit: BATCH,
        ...(after === undefined ? {} : { after }),
      })
      const changes = page.flatMap((document) => this.#guarded(document, () => placedAnew(document, now)))
      if (changes.length > 0) await documents.write(changes)
      if (page.length < BATCH) return
      after = page.at(-1)?.name
      await breath()
    }
  }

  /** One that is broken, or not for this process, must not hold up the others: it is left to others, and named once. */
  #guarded<T>(document: Document, work: () => T | undefined): T[] {
    try {
      const made = work()
      return made === undefined ? [] : [made]
    } catch (error) {
      this.#warn(document, error)
      return []
    }
  }

  #warn({ name }: { readonly name: string }, error: unknown): void {
    if (this.#warned.has(name) || this.#warned.size > MOST_WARNINGS) return
    this.#warned.add(name)
    const { logger } = this.#parts
    if (this.#warned.size > MOST_WARNINGS) {
      logger.warn({}, `more than ${MOST_WARNINGS} schedules cannot tick here; the others are not named`)
      return
    }
    const reason = error instanceof Error ? error.message : String(error)
    const code = error instanceof OffloadError ? error.code : undefined
    logger.warn(
      { schedule: name, ...(code === undefined ? {} : { code }) },
      `schedule ${shown(name)} cannot tick here and is left to other processes: ${reason.slice(0, 200)}`,
    )
  }

  #failed(error: unknown): void {
    if (!this.#inTrouble)
      this.#parts.logger.warn({ error: String(error) }, 'schedules cannot tick; trying again until they can')
    this.#inTrouble = true
  }

  #recovered(): void {
    if (this.#inTrouble) this.#parts.logger.warn({}, 'schedules tick again')
    this.#inTrouble = false
  }
}
