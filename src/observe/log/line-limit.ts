import type { Clock } from '../../clock.ts'

const WINDOW_MS = 1000

/** Lets so many lines through in a second, and tells at its end how many it did not. */
export class LineLimit {
  readonly #most: number
  readonly #clock: Clock
  readonly #onLeftOut: (count: number) => void
  #count = 0
  #cancel: (() => void) | undefined

  constructor(most: number, clock: Clock, onLeftOut: (count: number) => void) {
    this.#most = most
    this.#clock = clock
    this.#onLeftOut = onLeftOut
  }

  /** Whether one more line may be written. */
  allows(): boolean {
    this.#cancel ??= this.#clock.after(WINDOW_MS, () => this.end())
    return ++this.#count <= this.#most
  }

  /** Ends the second that has begun. */
  end(): void {
    this.#cancel?.()
    this.#cancel = undefined
    const leftOut = this.#count - this.#most
    this.#count = 0
    if (leftOut > 0) this.#onLeftOut(leftOut)
  }
}
