import type { Stream } from './answer.ts'

/** A stream that is pushed to. What a slow reader has not taken waits here, up to a limit. */
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

  /** What is not taken is dropped, and the stream ends, when the reader is too slow for it. */
  push(text: string): void {
    if (this.#ended) return
    if (this.#taker !== undefined) this.#give(text)
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
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  #keep(text: string): void {
    this.#waiting.push(text)
    this.#length += text.length
    if (this.#length > this.#limit) void this.return()
  }

  #give(value: string): void {
    const taker = this.#taker
    this.#taker = undefined
    taker?.({ done: false, value })
  }
}
