import { Batcher } from '../batch.ts'
import type { Broker, Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Ending, Settlement } from '../job/state.ts'
import type { Logger } from '../log.ts'

const MAX_BATCH = 500

/** What a listener is told about one attempt. */
export interface WorkEvent {
  readonly jobId: string
  readonly task: string
  readonly queue: string
  readonly attempt: number
  readonly error?: unknown
}

export type AttemptEnd = 'done' | 'failed' | 'dead' | 'lost'

export interface SettlerParts {
  readonly broker: () => Promise<Broker>
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  /** Tried for so long; then the lease is over anyway and the job runs again. */
  readonly leaseMs: number
  readonly tell: (end: AttemptEnd, event: WorkEvent) => void
  readonly onTrouble: (error: unknown) => void
}

/** Ends claims in batches, through faults of the backend, and tells how each attempt ended. */
export class Settler {
  readonly #parts: SettlerParts
  #batches: Batcher<Settlement, boolean> | undefined

  constructor(parts: SettlerParts) {
    this.#parts = parts
  }

  async settle(claim: Claim, ending: Ending): Promise<void> {
    const { broker, clock, random, logger, leaseMs, tell, onTrouble } = this.#parts
    const { job, attempt } = claim
    const about: WorkEvent = { jobId: job.id, task: job.task, queue: job.queue, attempt }
    const givenUpAt = clock.now() + leaseMs
    for (let tries = 0; ; tries++) {
      try {
        if (await this.#batcher(await broker()).add({ claim, ...ending })) {
          return this.#tell(ending, about, job.maxAttempts)
        }
        logger.warn(
          about,
          'the lease was lost before the job ended here; its end was refused, it is run elsewhere',
        )
        return tell('lost', about)
      } catch (error) {
        onTrouble(error)
        if (clock.now() > givenUpAt) {
          logger.error(
            { ...about, error: String(error) },
            'the end could not be stored within the lease; the job will run again',
          )
          return tell('lost', { ...about, error })
        }
        await sleep(clock, random() * Math.min(2000, 50 * 2 ** tries))
      }
    }
  }

  #batcher(broker: Broker): Batcher<Settlement, boolean> {
    this.#batches ??= new Batcher(Math.min(MAX_BATCH, broker.features.maxBatch), (batch) =>
      broker.settle(batch),
    )
    return this.#batches
  }

  #tell(ending: Ending, about: WorkEvent, maxAttempts: number): void {
    const { logger, tell } = this.#parts
    if (ending.type === 'done') {
      tell('done', about)
    } else if (ending.type === 'retry' && about.attempt < maxAttempts) {
      tell('failed', { ...about, error: ending.fault })
    } else if (ending.type === 'retry' || ending.type === 'dead') {
      const { code, message } = ending.fault
      logger.warn({ ...about, code }, `job is dead: ${message.slice(0, 200)}`)
      tell('dead', { ...about, error: ending.fault })
    }
  }
}
