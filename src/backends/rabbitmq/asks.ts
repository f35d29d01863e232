import { systemClock } from '../../clock.ts'

/** Who asked so lately, and did so before, is about to ask again. */
const LATELY_MS = 20

/** How those ask who take jobs of a queue: once in a while, or again and again. */
export class Asks {
  #at = Number.NEGATIVE_INFINITY
  #signal: AbortSignal | undefined
  #isSeries = false

  /** Somebody asks now, until `signal` aborts. */
  note(signal: AbortSignal): void {
    this.#isSeries = this.#isRecent()
    this.#at = systemClock.elapsed()
    this.#signal = signal
  }

  /** Who asks every few milliseconds, and does not stop, will ask again. */
  get willComeAgain(): boolean {
    return this.#isSeries && this.#signal?.aborted === false && this.#isRecent()
  }

  #isRecent(): boolean {
    return systemClock.elapsed() - this.#at < LATELY_MS
  }
}
