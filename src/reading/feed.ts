import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { JobEvent, Ledger } from '../ledger.ts'
import { Recent } from './recent.ts'

export type Listener = (event: JobEvent) => void

/** One reader of the ledger's events for everybody in this process who follows something. */
export class Feed {
  readonly #open: () => Promise<Ledger>
  readonly #clock: Clock
  readonly #onThrown: (error: unknown) => void
  readonly #byJob = new Map<string, Set<Listener>>()
  readonly #all = new Set<Listener>()
  #recent = new Recent()
  #reader: AbortController | undefined
  #filling: Promise<unknown> = Promise.resolve()
  #joining = 0
  #ended = false
  #waiting: { readonly eventId: number; readonly resolve: () => void }[] = []

  /** @param onThrown told what a listener throws: the others hear of the event all the same */
  constructor(open: () => Promise<Ledger>, clock: Clock, onThrown: (error: unknown) => void) {
    this.#open = open
    this.#clock = clock
    this.#onThrown = onThrown
  }

  /** Tells of every event from now on of one job, or of all, and maybe of earlier ones; call the answer to stop. */
  follow(jobId: string | undefined, listener: Listener): () => void {
    const listeners = jobId === undefined ? this.#all : (this.#byJob.get(jobId) ?? new Set())
    if (jobId !== undefined) this.#byJob.set(jobId, listeners)
    listeners.add(listener)
    this.#start()
    return () => {
      listeners.delete(listener)
      if (jobId !== undefined && listeners.size === 0 && this.#byJob.get(jobId) === listeners)
        this.#byJob.delete(jobId)
      this.#closeIfAlone()
    }
  }

  /**
   * Tells first of the events of a job after one of them, then of every event from now on; in order, each once. A `gap`
   * comes first when some are gone. However many follow, what is missing here is read from the ledger once.
   */
  async followAfter(jobId: string, after: number, listener: Listener): Promise<() => void> {
    this.#joining++
    try {
      const filled = this.#filling.then(() => this.#fill(after))
      this.#filling = filled.catch(() => undefined)
      await this.#hasRead(await filled)
      const { isWhole, events } = this.#recent.after(after, jobId)
      if (!isWhole) this.#call(listener, gapAt(after))
      for (const event of events) this.#call(listener, event)
      return this.follow(jobId, (event) => {
        if (event.eventId > after || event.type === 'gap') listener(event)
      })
    } finally {
      this.#joining--
      this.#closeIfAlone()
    }
  }

  /** For good: whoever still joins hears of nothing more. */
  end(): void {
    this.#ended = true
    this.#close()
  }

  #close(): void {
    this.#reader?.abort()
    this.#reader = undefined
    this.#recent = new Recent()
    this.#letGo(Number.POSITIVE_INFINITY)
  }

  /** Not while somebody joins: what was read for them would be followed by a hole. */
  #closeIfAlone(): void {
    if (this.#joining === 0 && this.#all.size === 0 && this.#byJob.size === 0) this.#close()
  }

  #start(from?: number): void {
    if (this.#reader !== undefined || this.#ended) return
    this.#reader = new AbortController()
    if (from !== undefined) this.#recent.startAt(from)
    void this.#read(from, this.#reader.signal)
  }

  /**
   * Sees to it that the recent events reach back to this one, where the ledger still has them and they are not too many.
   * Answers up to where they must be read.
   */
  async #fill(after: number): Promise<number> {
    const ledger = await this.#open()
    const { eventId } = await ledger.find({ ids: [], limit: 1 })
    if (this.#recent.start === undefined) {
      this.#reader?.abort()
      this.#reader = undefined
      this.#start(eventId)
      // Those who listen already may have been about to hear of what comes before.
      this.#tell(gapAt(eventId))
    }
    const { start = eventId } = this.#recent
    if (after >= start || start - after > Recent.MOST) return eventId
    const older: JobEvent[] = []
    const enough = new AbortController()
    for await (const events of ledger.watch(after, enough.signal)) {
      older.push(...events.filter(({ eventId }) => eventId <= start))
      if ((events.at(-1)?.eventId ?? start) >= start) break
    }
    enough.abort()
    if (this.#recent.start === start) this.#recent.prepend(after, older)
    return eventId
  }

  /** Resolves when the events up to this one have been told. */
  #hasRead(eventId: number): Promise<void> {
    if (this.#recent.end >= eventId || this.#ended) return Promise.resolve()
    return new Promise((resolve) => {
      this.#waiting.push({ eventId, resolve })
    })
  }

  #letGo(eventId: number): void {
    if (this.#waiting.length === 0) return
    for (const one of this.#waiting) if (one.eventId <= eventId) one.resolve()
    this.#waiting = this.#waiting.filter((one) => one.eventId > eventId)
  }

  /** A gap concerns everybody: each listener hears of it and looks for itself. */
  async #read(from: number | undefined, signal: AbortSignal): Promise<void> {
    let after = from
    while (!signal.aborted) {
      try {
        for await (const events of (await this.#open()).watch(after, signal)) {
          if (signal.aborted) return
          for (const event of events) {
            after = event.eventId
            this.#recent.add(event)
            this.#tell(event)
          }
          this.#letGo(this.#recent.end)
        }
      } catch {
        await sleep(this.#clock, 500, signal)
      }
    }
  }

  #tell(event: JobEvent): void {
    const concerned = event.type === 'gap' ? [...this.#byJob.values()] : [this.#byJob.get(event.jobId) ?? []]
    for (const group of [this.#all, ...concerned])
      for (const listener of [...group]) this.#call(listener, event)
  }

  #call(listener: Listener, event: JobEvent): void {
    try {
      listener(event)
    } catch (error) {
      this.#onThrown(error)
    }
  }
}

/** Tells that events after this one are not to be had any more. */
function gapAt(eventId: number): JobEvent {
  return { eventId, type: 'gap', at: 0, jobId: '', queue: '', task: '', attempt: 0 }
}
