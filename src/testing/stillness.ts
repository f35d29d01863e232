import { clearTimeout, setTimeout } from 'node:timers' // not the global ones, which fake timers of a test would stop
import { setImmediate as turn } from 'node:timers/promises'

/** With nothing seen for so many turns of the event loop, all that needs no outside help has ended. */
const QUIET_TURNS = 6

/** Sees whether anything still happens, in turns of the event loop and, where something outside is awaited, in real time. */
export class Stillness {
  #seen = 0
  #calls = 0
  readonly #waiting = new Set<() => void>()

  /** How much was seen so far. */
  get seen(): number {
    return this.#seen
  }

  /** Calls under way. */
  get calls(): number {
    return this.#calls
  }

  /** Something happened. */
  note(): void {
    this.#seen++
    for (const wake of [...this.#waiting]) wake()
  }

  /** The call counts as under way until it ends. */
  async during<T>(call: Promise<T>): Promise<T> {
    this.#calls++
    this.note()
    try {
      return await call
    } finally {
      this.#calls--
      this.note()
    }
  }

  /** Resolves when nothing more happens by itself. @param check called every turn; may throw to give up */
  async quiet(check: () => void = () => {}): Promise<void> {
    for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
      const before = this.#seen
      await turn()
      check()
      if (this.#seen !== before) quiet = 0
    }
  }

  /** Waits in real time for something to happen; false when nothing did. */
  change(withinMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const end = (happened: boolean): void => {
        clearTimeout(timer)
        this.#waiting.delete(wake)
        resolve(happened)
      }
      const wake = (): void => end(true)
      const timer = setTimeout(() => end(false), withinMs)
      this.#waiting.add(wake)
    })
  }
}
