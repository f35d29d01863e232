import type { Depth } from '../broker.ts'
import type { Observed } from './observer.ts'

/** Who reads metrics or probes does not wait longer: by then the backend is away. */
const PATIENCE_MS = 1000
/** An answer is given again for so long, however many ask. */
const FRESH_MS = 1000

/** What is in each queue, or why that cannot be told. */
export type Asked = { readonly depths: readonly Depth[] } | { readonly error: unknown }

/** Asks what is in the queues: at most once a second, one question at a time, and nobody waits for long. */
export class Asking {
  readonly #observed: Pick<Observed, 'queues'>
  #askedAt = Number.NEGATIVE_INFINITY
  #isOpen = false
  #answer: Promise<Asked> = Promise.resolve({ depths: [] })

  constructor(observed: Pick<Observed, 'queues'>) {
    this.#observed = observed
  }

  /** Never rejects. A backend that does not answer is not asked again by every reader. */
  depths(): Promise<Asked> {
    const now = performance.now()
    if (!this.#isOpen && now - this.#askedAt >= FRESH_MS) {
      this.#askedAt = now
      this.#isOpen = true
      this.#answer = this.#ask()
    }
    return inTime(this.#answer)
  }

  async #ask(): Promise<Asked> {
    try {
      return { depths: await this.#observed.queues() }
    } catch (error) {
      return { error }
    } finally {
      this.#isOpen = false
    }
  }
}

function inTime(answer: Promise<Asked>): Promise<Asked> {
  return new Promise((resolve) => {
    const late = { error: new Error(`the backend did not answer within ${PATIENCE_MS} ms`) }
    const timer = setTimeout(() => resolve(late), PATIENCE_MS)
    void answer.then((asked) => {
      clearTimeout(timer)
      resolve(asked)
    })
  })
}
