import type { Broker, Claim } from '../broker.ts'
import type { Settlement } from '../job/state.ts'
import type { Logger } from '../log.ts'

/** So many messages may wait for their acknowledgement to be sent. */
const MOST_WAITING = 1000

/** Ends messages behind the back of who claims: in order, one call under way; what comes meanwhile goes with the next. */
export class Acknowledger {
  readonly #broker: Broker
  readonly #logger: Logger
  #waiting: Settlement[] = []
  #running: Promise<void> | undefined

  constructor(broker: Broker, logger: Logger) {
    this.#broker = broker
    this.#logger = logger
  }

  /** `release`: they come again. */
  end(messages: readonly Claim[], type: 'done' | 'release'): void {
    for (const claim of messages) this.#waiting.push({ claim, type })
    this.#running ??= this.#run()
  }

  /** Resolves when no more wait than may. */
  async room(): Promise<void> {
    if (this.#waiting.length >= MOST_WAITING) await this.#running
  }

  /** Resolves when every message is acknowledged, or could not be. */
  async idle(): Promise<void> {
    await this.#running
  }

  async #run(): Promise<void> {
    const { name, features } = this.#broker
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.splice(0, Math.min(MOST_WAITING, features.maxBatch))
      try {
        await this.#broker.settle(batch)
      } catch (error) {
        this.#logger.warn(
          { broker: name, error: String(error) },
          'messages could not be acknowledged; they come back and are dropped',
        )
      }
    }
    this.#running = undefined
  }
}
