import { setImmediate } from 'node:timers' // not the global one, which fake timers of a test would stop

/** Lets timers and I/O have their turn between the parts of a long work. */
export function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** So many turns of the event loop at most go into one call. */
const MOST_TURNS = 4

interface Waiting<Item, Answer> {
  readonly item: Item
  readonly resolve: (answer: Answer) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes one call of many: everything added in one turn of the event loop goes out together, `max` items at most, and
 * at most two batches are out at once. A single item waits for nothing but the end of the turn.
 */
export class Batcher<Item, Answer> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Answer[]>
  readonly #max: number
  #waiting: Waiting<Item, Answer>[] = []
  #out = 0
  #planned = false

  constructor(max: number, send: (items: readonly Item[]) => Promise<readonly Answer[]>) {
    this.#max = max
    this.#send = send
  }

  /** How many items are not yet sent. */
  get size(): number {
    return this.#waiting.length
  }

  /** Whether everything that was added is answered. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#out === 0
  }

  /** Answers everything that is not yet sent with this error. */
  refuseWaiting(error: unknown): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error)
  }

  /** Resolves when everything that was added is answered. */
  async idle(): Promise<void> {
    while (!this.isIdle) await breath()
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ item, resolve, reject })
      this.#plan()
    })
  }

  /** While every turn brings more, a few turns go out together: the busier the process, the fewer the calls. */
  #plan(turnsLeft = MOST_TURNS, before = 1): void {
    if (this.#planned || this.#waiting.length === 0 || this.#out >= 2) return
    this.#planned = true
    setImmediate(() => {
      this.#planned = false
      const { length } = this.#waiting
      if (length > before && length < this.#max && turnsLeft > 1) this.#plan(turnsLeft - 1, length)
      else void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting.length <= this.#max ? this.#waiting : this.#waiting.slice(0, this.#max)
    this.#waiting = this.#waiting.length <= this.#max ? [] : this.#waiting.slice(this.#max)
    this.#out++
    this.#plan()
    try {
      const answers = await this.#send(batch.map(({ item }) => item))
      for (let i = 0; i < batch.length; i++) batch[i]?.resolve(answers[i] as Answer)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.#out--
      this.#plan()
    }
  }
}
