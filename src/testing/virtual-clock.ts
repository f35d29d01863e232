import { setImmediate as turn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'

interface Timer {
  readonly at: number
  readonly run: () => void
  readonly isPoll: boolean
}

/** A clock that stands still until it is told to go on, so that a test runs days in a moment and never waits. */
export class VirtualClock implements Clock {
  readonly #timers = new Set<Timer>()
  #now: number

  constructor(now: number = Date.UTC(2030, 0, 1)) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  elapsed(): number {
    return this.#now
  }

  /** Nothing but a call wakes this clock, so there is nothing to stay alive for. */
  keepAlive(): () => void {
    return () => {}
  }

  /** When the next timer is due, polls left out unless asked for; undefined when there is none. */
  nextAt(options: { polls?: boolean } = {}): number | undefined {
    return this.#next(Number.POSITIVE_INFINITY, options.polls ?? false)?.at
  }

  after(ms: number, run: () => void, kind?: 'poll'): () => void {
    const timer = { at: this.#now + Math.max(0, ms), run, isPoll: kind === 'poll' }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  /** Goes on by `ms`: every timer on the way runs at its instant, in order, and what it began gets its turns. */
  async advance(ms: number): Promise<void> {
    const until = this.#now + ms
    await drain()
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#now = Math.max(this.#now, timer.at)
      await this.#run(timer)
    }
    this.#now = Math.max(this.#now, until)
    await drain()
  }

  /** Goes on by `ms` at once, as for a host that slept: every timer that fell due meanwhile runs once, late. */
  async jump(ms: number): Promise<void> {
    this.#now += ms
    await this.advance(0)
  }

  async #run(timer: Timer): Promise<void> {
    this.#timers.delete(timer)
    timer.run()
    await turn()
  }

  #next(until: number, polls = true): Timer | undefined {
    let next: Timer | undefined
    for (const timer of this.#timers) {
      if (timer.at > until || (timer.isPoll && !polls)) continue
      if (next === undefined || timer.at < next.at) next = timer
    }
    return next
  }
}

/** Lets promises and what waits for the next turn of the event loop go on. */
async function drain(): Promise<void> {
  for (let turns = 0; turns < 4; turns++) await turn()
}
