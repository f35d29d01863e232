import type { BackendOptions } from '../backend.ts'
import type { Accepted, Broker } from '../broker.ts'
import { sleep } from '../clock.ts'
import type { OffloadError } from '../job/errors.ts'
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
      await this.#gather(published, limit)
      if (this.#jobs.length === 0) return
      const answers = await this.#broker.enqueue(this.#jobs.map((job) => this.#fitting(job)))
      published = this.#sorted(answers)
      this.#jobs = []
    } while (!this.#stopping.signal.aborted)
    await this.#ledger.outbox({ published, limit: 0, againMs: AGAIN_MS })
  }

  /**
   * What is to be published next. What could not be is still here: be it for its queue's sake and not for the server's, others must
   * come beside it. So where it fills a batch a half is left to the ledger, which answers it again.
   */
  async #gather(published: readonly string[], limit: number): Promise<void> {
    const left = this.#jobs.length < limit ? this.#jobs : this.#jobs.slice(0, limit / 2)
    const again = this.#refused.take(Math.ceil((limit - left.length) / 2))
    this.#jobs = [...left, ...again]
    const owed = await this.#ledger.outbox({
      published,
      limit: limit - this.#jobs.length,
      againMs: AGAIN_MS,
    })
    this.#jobs = this.#jobs.length === 0 ? owed : eachOnce([...this.#jobs, ...owed])
  }

  /** What became of what was published: answers what the broker has taken. */
  #sorted(answers: readonly Accepted[]): readonly string[] {
    const [taken, refused]: [Job[], Job[]] = [[], []]
    const errors = new Map<string, OffloadError>()
    for (const [at, job] of this.#jobs.entries()) {
      const { status, error } = answers[at] ?? {}
      const of = status === 'full' || status === 'failed' ? refused : taken
      of.push(job)
      if (error !== undefined) errors.set(job.queue, error)
    }
    for (const queue of this.#refused.note(taken, refused)) this.#warn(queue, errors.get(queue))
    return taken.map(({ id }) => id)
  }

  #warn(queue: string, error: OffloadError | undefined): void {
    this.#options.logger.warn(
      { broker: this.#broker.name, queue, ...(error && { code: error.code, error: error.message }) },
      'the broker did not take all messages of a queue; their jobs are safe in the ledger and are published later',
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

function eachOnce(jobs: readonly Job[]): readonly Job[] {
  return [...new Map(jobs.map((job) => [job.id, job])).values()]
}
