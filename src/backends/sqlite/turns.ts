import type { Clock } from '../../clock.ts'
import type { BackendError } from '../../job/errors.ts'
import { accept } from './accept.ts'
import type { Connection, Durability } from './connection.ts'
import { Step } from './step.ts'

interface Ask {
  readonly durability: Durability
  readonly work: (step: Step) => unknown
  readonly look: (() => unknown) | undefined
  readonly resolve: (value: unknown) => void
  readonly reject: (error: unknown) => void
}

/**
 * Makes one transaction, with one commit, of everything that is asked of the store in one turn of the event loop: what is
 * accepted, what ended, and who claims next. Each is done or rejected by itself all the same.
 */
export class Turns {
  readonly #db: Connection
  readonly #clock: Clock
  readonly #onCommit: (step: Step) => void
  #asks: Ask[] = []
  #planned = false
  #busy: Promise<void> = Promise.resolve()

  /** @param onCommit must not throw: what was committed is not done again */
  constructor(db: Connection, clock: Clock, onCommit: (step: Step) => void) {
    this.#db = db
    this.#clock = clock
    this.#onCommit = onCommit
  }

  /**
   * @param look what can be answered without a transaction is not worth one; undefined when it cannot. Who has a look
   * comes last, and so finds what the others of the turn have made.
   */
  run<T>(durability: Durability, work: (step: Step) => T, look?: () => T | undefined): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#asks.push({ durability, work, look, resolve: resolve as Ask['resolve'], reject })
      this.#plan()
    })
  }

  /** Resolves when everything that was asked is answered. */
  async idle(): Promise<void> {
    while (this.#planned) {
      await new Promise((resolve) => setImmediate(resolve))
      await this.#busy
    }
  }

  #plan(): void {
    if (this.#planned || this.#asks.length === 0) return
    this.#planned = true
    setImmediate(() => {
      this.#busy = this.#turn().then(() => {
        this.#planned = false
        this.#plan()
      })
    })
  }

  async #turn(): Promise<void> {
    const asks = this.#asks
    this.#asks = []
    if (asks.every((ask) => ask.look !== undefined) && this.#answerAll(asks)) return
    const [first, last] = [asks.filter(({ look }) => look === undefined), asks.filter(({ look }) => look)]
    await this.#transact([...first, ...last])
  }

  /** Answers those whose look is enough, and tells whether that was all. */
  #answerAll(asks: Ask[]): boolean {
    try {
      const answers = asks.map(({ look }) => this.#db.read(() => look?.()))
      if (answers.includes(undefined)) return false
      for (const [index, { resolve }] of asks.entries()) resolve(answers[index])
    } catch (error) {
      for (const { reject } of asks) reject(error)
    }
    return true
  }

  async #transact(asks: readonly Ask[]): Promise<void> {
    const durability = asks.some((ask) => ask.durability === 'synced') ? 'synced' : 'written'
    let done: { readonly step: Step; readonly values: readonly unknown[] }
    try {
      done = await this.#db.write(durability, () => {
        const step = new Step(this.#db, this.#clock.now())
        const values = asks.map(({ work }) => work(step))
        const { followUps } = step
        if (followUps.length > 0) accept(step, followUps, undefined)
        step.flush()
        return { step, values }
      })
    } catch (error) {
      const isGuiltKnown = asks.length === 1 || (error as BackendError).code === 'BACKEND_UNAVAILABLE'
      if (isGuiltKnown) for (const { reject } of asks) reject(error)
      else for (const ask of asks) await this.#transact([ask])
      return
    }
    for (const [index, { resolve }] of asks.entries()) resolve(done.values[index])
    this.#onCommit(done.step)
  }
}
