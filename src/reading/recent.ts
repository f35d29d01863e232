import type { JobEvent } from '../ledger.ts'

/** The events of a while, without a hole, so that who comes back is told from memory what it missed. */
export class Recent {
  /** So many are kept. */
  static readonly MOST = 20_000

  #events: JobEvent[] = []
  #start: number | undefined
  #end = -1

  /** Every event after this one that was read is here; undefined before the first. */
  get start(): number | undefined {
    return this.#start
  }

  /** Up to where was read. */
  get end(): number {
    return this.#end
  }

  startAt(eventId: number): void {
    this.#start = eventId
    this.#end = eventId
  }

  add(event: JobEvent): void {
    this.#end = event.eventId
    if (event.type === 'gap') {
      this.#events = []
      this.#start = event.eventId
      return
    }
    this.#start ??= event.eventId - 1
    this.#events.push(event)
    if (this.#events.length >= Recent.MOST * 2) this.#forget(Recent.MOST)
  }

  /** Puts older events before those that are here. A gap among them is where they begin. */
  prepend(after: number, older: readonly JobEvent[]): void {
    const gap = older.findLastIndex(({ type }) => type === 'gap')
    this.#start = older[gap]?.eventId ?? after
    this.#events = [...older.slice(gap + 1), ...this.#events]
  }

  /** The events of a job after one of them, and whether those are all. */
  after(eventId: number, jobId: string): { isWhole: boolean; events: JobEvent[] } {
    const isWhole = this.#start !== undefined && eventId >= this.#start
    return {
      isWhole,
      events: this.#events.filter((event) => event.eventId > eventId && event.jobId === jobId),
    }
  }

  #forget(kept: number): void {
    this.#events = this.#events.slice(-kept)
    this.#start = (this.#events[0]?.eventId ?? 1) - 1
  }
}
