import { setImmediate } from 'node:timers'
import type { SlotRange, SlotsDecision } from '../autoscale/policy/concurrency.ts'
import type { Clock } from '../clock.ts'
import type { Ending } from '../job/state.ts'
import type { Observer } from '../observe/observer.ts'
import { Attempt } from './attempt.ts'
import type { ClaimBuffer } from './claim-buffer.ts'
import type { Surroundings } from './execute.ts'
import { execute } from './execute.ts'
import type { Figures } from './figures.ts'
import { Outside } from './outside.ts'
import type { Run } from './settler.ts'
import { Tuner } from './tuner.ts'

export interface SlotsParts {
  readonly concurrency: number | SlotRange
  readonly clock: Clock
  readonly around: Surroundings
  readonly observer: Observer | undefined
  readonly buffer: ClaimBuffer
  readonly figures: Figures
  /** Carries off what a handler reported at its very end. */
  readonly report: (attempt: Attempt) => Promise<void>
  /** Stores the end. */
  readonly settle: (attempt: Attempt, ending: Ending, run: Run | undefined) => void
  /** Slots were filled, or became free with nothing to fill them, or are more or fewer than before. */
  readonly onFilled: () => void
  readonly stopping: AbortSignal
}

/** Handlers are started for at most so long before the event loop has its turn. */
const TURN_MS = 10

/** Runs what a worker has claimed, so many at once. */
export class Slots {
  readonly #parts: SlotsParts
  readonly #fixed: number
  readonly #tuner: Tuner | undefined
  readonly #running = new Set<Attempt>()
  readonly #outside = new Outside()
  #filling = false

  constructor(parts: SlotsParts) {
    const { concurrency, clock } = parts
    this.#parts = parts
    this.#fixed = typeof concurrency === 'number' ? concurrency : concurrency.min
    this.#tuner = typeof concurrency === 'number' ? undefined : new Tuner(concurrency, clock)
  }

  /** So many handlers may run at once. */
  get count(): number {
    return this.#tuner?.decision.slots ?? this.#fixed
  }

  /** Why so many, where `concurrency` is a range. */
  get decision(): SlotsDecision | undefined {
    return this.#tuner?.decision
  }

  get running(): ReadonlySet<Attempt> {
    return this.#running
  }

  countOf(queue: string): number {
    let count = 0
    for (const { claim } of this.#running) if (claim.job.queue === queue) count++
    return count
  }

  /** Decides again and again how many there are, where that is a range. */
  async tune(): Promise<void> {
    await this.#tuner?.keep(this.#parts.stopping, () => this.fill())
  }

  /** Starts what the buffer holds and the slots allow. */
  fill(): void {
    if (this.#filling) return
    this.#filling = true
    const { buffer, clock, stopping, onFilled } = this.#parts
    const begun = performance.now()
    while (this.#running.size < this.count && !stopping.aborted) {
      const claim = buffer.takeNext()
      if (claim === undefined) break
      this.#start(new Attempt(claim, clock.now(), buffer.leaseUntil(claim)))
      if (performance.now() - begun < TURN_MS) continue
      setImmediate(() => this.fill())
      break
    }
    this.#filling = false
    onFilled()
  }

  #start(attempt: Attempt): void {
    this.#running.add(attempt)
    this.#tuner?.running(this.#running.size)
    const { clock, observer, around, figures, report } = this.#parts
    const begun = clock.elapsed()
    const { waitMs } = attempt
    figures.began(waitMs)
    const cancelTimeout = this.#armTimeout(attempt)
    const end = (ending: Ending, endedAt = clock.elapsed()): void => {
      cancelTimeout?.()
      const runMs = endedAt - begun
      figures.ran(runMs)
      this.#tuner?.ended(ending, runMs)
      const run = observer && { waitMs, runMs, endedAt }
      if (attempt.hasReports) void report(attempt).then(() => this.#end(attempt, ending, run))
      else this.#end(attempt, ending, run)
    }
    const within = observer?.around?.(attempt.claim)
    if (within === undefined) {
      execute(attempt, around, end)
      return
    }
    const endOutside = (ending: Ending): void => {
      const endedAt = clock.elapsed()
      this.#outside.do(() => end(ending, endedAt))
    }
    within(() => execute(attempt, around, endOutside))
  }

  #armTimeout(attempt: Attempt): (() => void) | undefined {
    const { around, clock } = this.#parts
    const timeoutMs = around.tasks.get(attempt.claim.job.task)?.timeoutMs
    if (timeoutMs === undefined) return undefined
    return clock.after(timeoutMs, () =>
      attempt.abort('JOB_TIMEOUT', `the attempt took longer than ${timeoutMs} ms`),
    )
  }

  #end(attempt: Attempt, ending: Ending, run: Run | undefined): void {
    this.#parts.settle(attempt, ending, run)
    this.#running.delete(attempt)
    this.#tuner?.running(this.#running.size)
    this.fill()
  }
}
