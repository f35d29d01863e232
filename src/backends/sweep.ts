import type { BackendOptions } from '../backend.ts'
import type { Broker } from '../broker.ts'
import { sleep } from '../clock.ts'
import type { Job } from '../job/job.ts'
import type { Ledger } from '../ledger.ts'
import { Refused } from './refused.ts'

/** How often the ledger is asked what is due to be published. */
const SWEEP_MS = 250
/** A job whose message was not confirmed is published again after so long. */
const AGAIN_MS = 5000
/** How often messages that the broker lost are looked for, and how old they are then at least. */
const LOST_MS = 5000
const WAIT_AFTER_FAULT_MS = 200
/** Kept free in a message for what goes with the payload. */
const ENVELOPE_BYTES = 16_384

/** Publishes what the ledger says is due, until stopped. */
export class Sweep {
  readonly #broker: Broker
  readonly #ledger: Ledger
  readonly #options: BackendOptions
  readonly #stopping = new AbortController()
  readonly #queues = new Set<string>()
  readonly #refused: Refused
  readonly #running: Promise<void>
  /** What the broker has not taken yet. */
  #jobs: readonly Job[] = []
  #kicked = true
  #wake: AbortController | undefined
  #lookAt = 0

  constructor(broker: Broker, ledger: Ledger, options: BackendOptions) {
    this.#broker = broker
    this.#ledger = ledger
    this.#options = options
    this.#refused = new Refused(options.clock)
    this.#running = this.#run()
  }

  kick(): void {
    this.#kicked = true
    this.#wake?.abort()
  }

  /** Looks after messages of this queue that the broker may have lost. */
  follow(queue: string): void {
    this.#queues.add(queue)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake?.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    while (!this.#stopping.signal.aborted) {
      this.#kicked = false
      let waitMs = SWEEP_MS
      try {
        await this.#publishAll()
        await this.#findLost()
      } catch (error) {
        waitMs = WAIT_AFTER_FAULT_MS
        logger.warn(
          { broker: this.#broker.name, error: String(error) },
          'publishing failed; the jobs are safe in the ledger and are published later',
        )
      }
      if (this.#kicked && waitMs === SWEEP_MS) continue
      this.#wake = new AbortController()
      if (!this.#stopping.signal.aborted) await sleep(clock, waitMs, this.#wake.signal)
    }
  }

  async #publishAll(): Promise<void> {
    const limit = Math.min(1000, this.#broker.features.maxBatch)
    let published: readonly string[] = []
    do {
      if (this.#jobs.length === 0) {
        // No more than a half: others must have their turn.
        this.#jobs = this.#refused.take(Math.ceil(limit / 2))
        const owed = await this.#ledger.outbox({
          published,
          limit: limit - this.#jobs.length,
          againMs: AGAIN_MS,
        })
        this.#jobs = this.#jobs.concat(owed)
      }
      if (this.#jobs.length === 0) return
      const answers = await this.#broker.enqueue(this.#jobs.map((job) => this.#fitting(job)))
      const taken = this.#jobs.filter((_, at) => answers[at]?.status !== 'full')
      const refused = this.#jobs.filter((_, at) => answers[at]?.status === 'full')
      this.#warnOfFull(this.#refused.note(taken, refused))
      published = taken.map(({ id }) => id)
      this.#jobs = []
    } while (!this.#stopping.signal.aborted)
    await this.#ledger.outbox({ published, limit: 0, againMs: AGAIN_MS })
  }

  #warnOfFull(queues: readonly string[]): void {
    if (queues.length === 0) return
    this.#options.logger.warn(
      { broker: this.#broker.name, queues },
      'the broker did not take all messages of these queues; their jobs are safe in the ledger and are published later',
    )
  }

  /** A payload that is too long for a message stays in the ledger, where the worker gets it from. */
  #fitting(job: Job): Job {
    const most = this.#broker.features.maxMessageBytes - ENVELOPE_BYTES
    const isShort = job.payload.length * 3 <= most || Buffer.byteLength(job.payload) <= most
    return isShort ? job : { ...job, payload: 'null' }
  }

  async #findLost(): Promise<void> {
    const { clock } = this.#options
    if (clock.elapsed() < this.#lookAt) return
    this.#lookAt = clock.elapsed() + LOST_MS
    for (const queue of [...this.#queues]) {
      try {
        await this.#findLostIn(queue)
      } catch (error) {
        // The next time the others come first.
        this.#queues.delete(queue)
        this.#queues.add(queue)
        throw error
      }
    }
  }

  async #findLostIn(queue: string): Promise<void> {
    const { ready: messages } = await this.#broker.depth(queue)
    const lost = { queue, messages, before: this.#options.clock.now() - LOST_MS }
    await this.#ledger.outbox({ published: [], limit: 0, againMs: AGAIN_MS, lost })
  }
}
