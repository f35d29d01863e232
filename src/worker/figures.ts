import { Spread } from '../presence/spread.ts'
import type { WorkerView } from '../presence/view.ts'
import { smoothed } from './fetch-ahead.ts'
import type { AttemptEnd } from './settler.ts'

/** What a worker counts and measures of its own work. Times are milliseconds; `now` is the clock's `elapsed()`. */
export class Figures {
  readonly #waits = new Spread()
  readonly #runs = new Spread()
  readonly #ends = { done: 0, failed: 0, dead: 0, lost: 0 }
  readonly #heard = new Map<string, number>()
  #meanRunMs: number | undefined
  #loopDelayMs = 0

  /** How long attempts took, newer ones weighing more; undefined before the first has ended. */
  get meanRunMs(): number | undefined {
    return this.#meanRunMs
  }

  began(waitMs: number | null): void {
    if (waitMs !== null) this.#waits.add(waitMs)
  }

  ran(runMs: number): void {
    this.#meanRunMs = smoothed(this.#meanRunMs, runMs)
    this.#runs.add(runMs)
  }

  ended(end: AttemptEnd): void {
    this.#ends[end]++
  }

  /** The event loop was late. */
  late(ms: number): void {
    this.#loopDelayMs = Math.max(this.#loopDelayMs, ms)
  }

  /** The backend has not gone quiet about a queue. */
  heard(queue: string, now: number): void {
    this.#heard.set(queue, now)
  }

  /** For how long nothing was heard of the queue that was quiet for longest. @param notAsked queues that are quiet on purpose */
  unheardMs(now: number, notAsked: ReadonlySet<string>): number {
    const heard = [...this.#heard].map(([queue, at]) => (notAsked.has(queue) ? now : at))
    return now - Math.min(now, ...heard)
  }

  /** What is told of it; the delay of the loop is the longest since it was told before. */
  read(now: number): Pick<WorkerView, 'ended' | 'wait' | 'run' | 'loopDelayMs'> {
    const loopDelayMs = this.#loopDelayMs
    this.#loopDelayMs = 0
    return { ended: { ...this.#ends }, wait: this.#waits.read(now), run: this.#runs.read(now), loopDelayMs }
  }
}
