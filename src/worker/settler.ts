import { setImmediate } from 'node:timers'
import type { Broker, Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import { BackendError } from '../job/errors.ts'
import type { Ending, Settlement } from '../job/state.ts'
import type { Logger } from '../log.ts'
import { silentLogger } from '../log.ts'
import type { AttemptOutcome, Observer } from '../observe/observer.ts'

const MAX_BATCH = 1000
/** So many batches may be under way at once. */
const MAX_OUT = 2

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
  readonly observer?: Observer | undefined
  /** Somebody writes a line for each end of an attempt already. */
  readonly logsAttempts: boolean
  /** Told after each batch. */
  readonly onStored: () => void
}

interface Ended {
  readonly claim: Claim
  readonly ending: Ending
  readonly givenUpAt: number
  readonly run: Run | undefined
}

/** How an attempt went, for who observes it. */
export interface Run {
  readonly waitMs: number | null
  readonly runMs: number
  /** By the clock's `elapsed()`. */
  readonly endedAt: number
}

/** Ends claims behind the runs: in batches, through faults of the backend, telling how each attempt ended. */
export class Settler {
  readonly #parts: SettlerParts
  #waiting: Ended[] = []
  #out = 0
  #planned = false
  readonly #idle: (() => void)[] = []

  constructor(parts: SettlerParts) {
    this.#parts = parts
  }

  /** Ends that no batch has taken yet. */
  get size(): number {
    return this.#waiting.length
  }

  /** Everything that ends in one turn of the event loop goes out together. */
  settle(claim: Claim, ending: Ending, run?: Run): void {
    this.#waiting.push({ claim, ending, givenUpAt: this.#parts.clock.now() + this.#parts.leaseMs, run })
    this.#plan()
  }

  /** Resolves when every end was stored or given up. */
  async idle(): Promise<void> {
    while (this.#waiting.length > 0 || this.#out > 0)
      await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  #plan(): void {
    if (this.#planned || this.#waiting.length === 0 || this.#out >= MAX_OUT) return
    this.#planned = true
    setImmediate(() => {
      this.#planned = false
      void this.#flush()
    })
  }

  async #flush(): Promise<void> {
    const batch = this.#waiting.splice(0, MAX_BATCH)
    this.#out++
    this.#plan()
    await this.#store(batch)
    this.#out--
    this.#plan()
    this.#parts.onStored()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  async #store(batch: readonly Ended[]): Promise<void> {
    const { broker, clock, random, onTrouble } = this.#parts
    let left = batch
    for (let tries = 0; left.length > 0; tries++) {
      try {
        return await this.#send(await broker(), left)
      } catch (error) {
        onTrouble(error)
        left = this.#withoutLate(left, error)
        const parts = error instanceof BackendError ? ofEachQueue(left) : left.map((one) => [one])
        if (parts.length > 1) return this.#storeApart(parts)
        await sleep(clock, random() * Math.min(2000, 50 * 2 ** tries))
      }
    }
  }

  /** One that cannot be stored must not hold up the others, nor a queue in trouble those of others. */
  async #storeApart(parts: readonly (readonly Ended[])[]): Promise<void> {
    await Promise.all(parts.map((part) => this.#store(part)))
  }

  async #send(broker: Broker, batch: readonly Ended[]): Promise<void> {
    const most = broker.features.maxBatch
    for (let at = 0; at < batch.length; at += most) {
      const part = batch.length <= most ? batch : batch.slice(at, at + most)
      const settlements = part.map(({ claim, ending }): Settlement => ({ claim, ...ending }))
      const held = await broker.settle(settlements)
      for (const [index, ended] of part.entries()) this.#tell(ended, held[index] === true)
    }
  }

  #withoutLate(batch: readonly Ended[], error: unknown): readonly Ended[] {
    const { clock, logger, tell } = this.#parts
    const now = clock.now()
    return batch.filter((ended) => {
      const { claim, givenUpAt } = ended
      if (now <= givenUpAt) return true
      const about = aboutOf(claim)
      logger.error(
        { ...about, error: String(error) },
        'the end could not be stored within the lease; the job will run again',
      )
      tell('lost', { ...about, error })
      this.#observe(ended, false)
      return false
    })
  }

  #tell(ended: Ended, held: boolean): void {
    const { claim, ending } = ended
    const { logsAttempts, tell } = this.#parts
    const logger = logsAttempts ? silentLogger : this.#parts.logger
    this.#observe(ended, held)
    const about = aboutOf(claim)
    if (!held) {
      logger.warn(
        about,
        'the lease was lost before the job ended here; its end was refused, it is run elsewhere',
      )
      tell('lost', about)
    } else if (ending.type === 'done') {
      tell('done', about)
    } else if (ending.type === 'retry' && claim.attempt < claim.job.maxAttempts) {
      tell('failed', { ...about, error: ending.fault })
    } else if (ending.type === 'retry' || ending.type === 'dead') {
      const { code, message } = ending.fault
      logger.warn({ ...about, code }, `job is dead: ${message.slice(0, 200)}`)
      tell('dead', { ...about, error: ending.fault })
    }
  }

  #observe(ended: Ended, held: boolean): void {
    const { observer, clock } = this.#parts
    const { claim, ending, run } = ended
    if (observer === undefined || run === undefined) return
    observer.ended?.({
      claim,
      outcome: held ? outcomeOf(ended) : 'lost',
      ...('fault' in ending ? { fault: ending.fault } : {}),
      waitMs: run.waitMs,
      runMs: run.runMs,
      settleMs: clock.elapsed() - run.endedAt,
    })
  }
}

function ofEachQueue(batch: readonly Ended[]): readonly (readonly Ended[])[] {
  return [...Map.groupBy(batch, ({ claim }) => claim.job.queue).values()]
}

function outcomeOf({ claim, ending }: Ended): AttemptOutcome {
  return ending.type === 'retry' && claim.attempt >= claim.job.maxAttempts ? 'dead' : ending.type
}

function aboutOf({ job, attempt }: Claim): WorkEvent {
  return { jobId: job.id, task: job.task, queue: job.queue, attempt }
}
