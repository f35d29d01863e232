import type { Stream } from './answer.ts'

/** A stream that is pushed to. What a slow reader has not taken waits here, up to a limit; then it ends, after what waits. */
export class Channel implements Stream {
  readonly #limit: number
  readonly #onEnd: () => void
  #waiting: string[] = []
  #length = 0
  #taker: ((result: IteratorResult<string>) => void) | undefined
  #ended = false

  /** @param limit characters that may wait; `onEnd` is called once, when the reader leaves or was too slow. */
  constructor(limit: number, onEnd: () => void) {
    this.#limit = limit
    this.#onEnd = onEnd
  }

  get isEnded(): boolean {
    return this.#ended
  }

  /** A text that no longer fits is dropped, and the stream ends. One that comes first always fits. */
  push(text: string): void {
    if (this.#ended) return
    if (this.#taker !== undefined) this.#give(text)
    else if (this.#length > 0 && this.#length + text.length > this.#limit) this.end()
    else this.#keep(text)
  }

  /** Ends the stream once what waits is taken. */
  end(): void {
    if (this.#ended) return
    this.#ended = true
    this.#taker?.({ done: true, value: undefined })
    this.#taker = undefined
    this.#onEnd()
  }

  next(): Promise<IteratorResult<string>> {
    if (this.#waiting.length > 0) {
      const value = this.#waiting.join('')
      this.#waiting = []
      this.#length = 0
      return Promise.resolve({ done: false, value })
    }
    if (this.#ended) return Promise.resolve({ done: true, value: undefined })
    return new Promise((resolve) => {
      this.#taker = resolve
    })
  }

  return(): Promise<IteratorResult<string>> {
    this.#waiting = []
    this.#length = 0
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #keep(text: string): void {
    this.#waiting.push(text)
    this.#length += text.length
  }

  #give(value: string): void {
    const taker = this.#taker
    this.#taker = undefined
    taker?.({ done: false, value })
  }
}
