import { setImmediate } from 'node:timers' // not the global one, which fake timers of a test would stop

/** Lets timers and I/O have their turn between the parts of a long work. */
export function breath(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

/** So many turns of the event loop at most go into one call. */
const MOST_TURNS = 4

/** From so many items on a batch goes out as two where the receiver works on one while the other is on its way. */
const WORTH_HALVING = 32

/** Items that were added together, and are answered together. */
interface Waiting<Item, Answer> {
  readonly items: readonly Item[]
  /** @param answers those of the whole batch; its own begin at `from` */
  readonly resolve: (answers: readonly Answer[], from: number) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes one call of many: everything added in one turn of the event loop goes out together, `max` items at most, and
 * at most two batches are out at once. A single item waits for nothing but the end of the turn.
 */
export class Batcher<Item, Answer> {
  readonly #send: (items: readonly Item[]) => Promise<readonly Answer[]>
  readonly #max: number
  /** Whether a second batch is worked on while the first is on its way; else one large one is cheaper. */
  readonly #overlaps: () => boolean
  #waiting: Waiting<Item, Answer>[] = []
  #size = 0
  #out = 0
  #planned = false

  constructor(
    max: number,
    send: (items: readonly Item[]) => Promise<readonly Answer[]>,
    overlaps: () => boolean = () => false,
  ) {
    this.#max = max
    this.#overlaps = overlaps
    this.#send = send
  }

  /** How many items are not yet sent. */
  get size(): number {
    return this.#size
  }

  /** Whether everything that was added is answered. */
  get isIdle(): boolean {
    return this.#waiting.length === 0 && this.#out === 0
  }

  /** Answers everything that is not yet sent with this error; tells what that was. */
  refuseWaiting(error: unknown): readonly Item[] {
    this.#size = 0
    const refused = this.#waiting.splice(0)
    for (const { reject } of refused) reject(error)
    return refused.flatMap(({ items }) => items)
  }

  /** Resolves when everything that was added is answered. */
  async idle(): Promise<void> {
    while (!this.isIdle) await breath()
  }

  add(item: Item): Promise<Answer> {
    return new Promise((resolve, reject) => {
      this.#wait({ items: [item], resolve: (answers, from) => resolve(answers[from] as Answer), reject })
    })
  }

  /** Items of one call, `max` at most, which go out together. */
  addAll(items: readonly Item[]): Promise<readonly Answer[]> {
    return new Promise((resolve, reject) => {
      this.#wait({
        items,
        resolve: (answers, from) => resolve(answers.slice(from, from + items.length)),
        reject,
      })
    })
  }

  #wait(waiting: Waiting<Item, Answer>): void {
    this.#waiting.push(waiting)
    this.#size += waiting.items.length
    this.#plan()
  }

  /** While every turn brings more, a few turns go out together: the busier the process, the fewer the calls. */
  #plan(turnsLeft = MOST_TURNS, before = 1): void {
    if (this.#planned || this.#waiting.length === 0 || this.#out >= 2) return
    this.#planned = true
    setImmediate(() => {
      this.#planned = false
      const size = this.#size
      if (size > before && size < this.#max && turnsLeft > 1) this.#plan(turnsLeft - 1, size)
      else void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const batch = this.#take()
    this.#out++
    this.#plan()
    try {
      const answers = await this.#send(batch.flatMap(({ items }) => items))
      let at = 0
      for (const { items, resolve } of batch) {
        resolve(answers, at)
        at += items.length
      }
    } catch (error) {
      for (const { reject } of batch) reject(error)
    } finally {
      this.#out--
      this.#plan()
    }
  }

  /** What goes out together: as many as fit, from the front. Where nothing is out yet, two halves begin to take turns. */
  #take(): Waiting<Item, Answer>[] {
    const isHalved = this.#out === 0 && this.#size >= WORTH_HALVING && this.#overlaps()
    const max = isHalved ? Math.min(this.#max, Math.ceil(this.#size / 2)) : this.#max
    let [count, size] = [0, 0]
    for (const { items } of this.#waiting) {
      if (count > 0 && size + items.length > max) break
      count++
      size += items.length
    }
    this.#size -= size
    return this.#waiting.splice(0, count)
  }
}
