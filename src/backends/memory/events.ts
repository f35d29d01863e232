import type { Retention } from '../../backend.ts'
import type { JobEvent } from '../../ledger.ts'
import type { EventsPage } from '../database.ts'

const PAGE = 1000

/** The events that are kept, in order. */
export class Events {
  #kept: JobEvent[] = []
  #start = 0
  #last = 0

  get last(): number {
    return this.#last
  }

  add(event: Omit<JobEvent, 'eventId'>): void {
    this.#kept.push({ eventId: ++this.#last, ...event })
  }

  read(after: number | undefined): EventsPage {
    if (after === undefined || after >= this.#last) return { events: [], next: this.#last, gap: false }
    const first = this.#kept[this.#start]?.eventId ?? this.#last + 1
    const from = this.#start + Math.max(0, after + 1 - first)
    const events = this.#kept.slice(from, from + PAGE)
    return { events, next: events.at(-1)?.eventId ?? this.#last, gap: after + 1 < first }
  }

  forget({ eventsMs, eventsCount }: Retention, now: number): void {
    const kept = this.#kept
    while (
      this.#start < kept.length &&
      (kept.length - this.#start > eventsCount || (kept[this.#start] as JobEvent).at <= now - eventsMs)
    )
      this.#start++
    if (this.#start < 1000 || this.#start < kept.length / 2) return
    this.#kept = kept.slice(this.#start)
    this.#start = 0
  }
}
