import type { SlotsDecision } from '../autoscale/policy/concurrency.ts'
import type { Clock } from '../clock.ts'
import type { WorkerState } from '../observe/observer.ts'
import type { Presence, WorkerView } from '../presence/view.ts'
import type { Circuits } from './circuits.ts'
import type { ClaimBuffer } from './claim-buffer.ts'
import type { Figures } from './figures.ts'
import type { Settler } from './settler.ts'
import type { Slots } from './slots.ts'
import type { Trouble } from './trouble.ts'

export interface Health {
  readonly state: 'running' | 'degraded' | 'stopping' | 'stopped'
  readonly running: number
  readonly buffered: number
  /** How long attempts took here, newer ones weighing more; undefined before the first has ended. */
  readonly runMs?: number
  /** Handlers that may run at once. */
  readonly slots: number
  /** Why so many, where `concurrency` is a range. */
  readonly why?: SlotsDecision
  /** Why it is degraded: what the backend said last. */
  readonly reason?: string
}

/** The parts of a worker that know something of it. */
export interface StatusParts {
  readonly name: string
  readonly queues: readonly string[]
  readonly clock: Clock
  readonly slots: Slots
  readonly buffer: ClaimBuffer
  readonly figures: Figures
  readonly settler: Settler
  readonly trouble: Trouble
  readonly circuits: Circuits
  readonly stopping: AbortSignal
}

/** So many attempts that run are told of. */
const MOST_TOLD = 100

/** What a worker tells of itself: to its user, to who observes it, and to the store for those of other hosts. */
export class Status {
  readonly #parts: StatusParts
  #hasEnded = false

  constructor(parts: StatusParts) {
    this.#parts = parts
  }

  /** It has stopped. */
  ended(): void {
    this.#hasEnded = true
  }

  health(): Health {
    const { slots, buffer, figures, trouble } = this.#parts
    const { meanRunMs: runMs } = figures
    const { decision: why } = slots
    const { reason } = trouble
    return {
      state: this.#state(),
      running: slots.running.size,
      buffered: buffer.size,
      ...(runMs === undefined ? {} : { runMs }),
      slots: slots.count,
      ...(why === undefined ? {} : { why }),
      ...(reason === undefined ? {} : { reason }),
    }
  }

  /** The same with what it is made of. */
  state(): WorkerState {
    const { name, queues, clock, figures, settler, circuits } = this.#parts
    const slowed = new Set(circuits.slowed().map(({ queue }) => queue))
    return {
      ...this.health(),
      name,
      queues,
      unsettled: settler.size,
      unheardMs: figures.unheardMs(clock.elapsed(), slowed),
    }
  }

  told(): Omit<WorkerView, keyof Presence> {
    const { clock, slots, figures, circuits } = this.#parts
    return {
      ...this.state(),
      ...figures.read(clock.elapsed()),
      attempts: [...slots.running].slice(0, MOST_TOLD).map((attempt) => attempt.view()),
      slowed: circuits.slowed(),
    }
  }

  #state(): Health['state'] {
    const { stopping, trouble } = this.#parts
    if (this.#hasEnded) return 'stopped'
    if (stopping.aborted) return 'stopping'
    return trouble.reason === undefined ? 'running' : 'degraded'
  }
}
