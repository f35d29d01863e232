import type { Clock } from '../clock.ts'
import type { Logger } from '../log.ts'
import type { SlowedQueue } from '../presence/view.ts'
import type { CircuitPlan, CircuitState } from './circuit.ts'
import { afterEnd, afterTime, closedAt, most } from './circuit.ts'
import type { AttemptEnd, WorkEvent } from './settler.ts'

/** What says nothing of whether the work can be done: the handler meant it, or nobody could read the job. */
const NO_FAILURES: ReadonlySet<unknown> = new Set(['DISCARDED', 'PAYLOAD_UNDECODABLE', 'INPUT_INVALID'])

export interface CircuitsParts {
  /** Undefined: none ever opens. */
  readonly plan: CircuitPlan | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Told when a queue that was open may be probed, and when one opens. */
  readonly onChange: (queue: string) => void
}

/** The circuits of a worker's queues. */
export class Circuits {
  readonly #parts: CircuitsParts
  readonly #states = new Map<string, CircuitState>()

  constructor(parts: CircuitsParts) {
    this.#parts = parts
  }

  /** How many jobs of a queue may be at hand at once. */
  most(queue: string): number {
    const state = this.#states.get(queue)
    return state === undefined ? Number.POSITIVE_INFINITY : most(this.#now(queue, state))
  }

  ended(end: AttemptEnd, { queue, error }: WorkEvent): void {
    const { plan, clock } = this.#parts
    const code = (error as { code?: unknown } | undefined)?.code
    if (plan === undefined || end === 'lost' || (end !== 'done' && NO_FAILURES.has(code))) return
    const now = clock.elapsed()
    const before = afterTime(this.#states.get(queue) ?? closedAt(now), now)
    const after = afterEnd(plan, before, now, end !== 'done')
    this.#states.set(queue, after)
    if (after.type !== before.type) this.#tell(queue, after, now)
  }

  /** The queues that are slowed now. */
  slowed(): SlowedQueue[] {
    return [...this.#states].flatMap(([queue, was]) => {
      const { type } = this.#now(queue, was)
      return type === 'closed' ? [] : [{ queue, state: type }]
    })
  }

  #now(queue: string, was: CircuitState): CircuitState {
    const is = afterTime(was, this.#parts.clock.elapsed())
    if (is !== was) this.#states.set(queue, is)
    return is
  }

  #tell(queue: string, state: CircuitState, now: number): void {
    const { logger, onChange } = this.#parts
    if (state.type === 'closed')
      logger.warn({ queue }, `queue ${queue} is at full speed again: a probe ended well`)
    if (state.type !== 'open') return
    const waitMs = Math.round(state.until - now)
    logger.warn(
      { queue, waitMs },
      `too many attempts fail: queue ${queue} is slowed here, one job is tried in ${waitMs} ms`,
    )
    this.#wake(queue, state.until)
    onChange(queue)
  }

  /** Timers may come a little early: nothing else would wake a queue that is open. */
  #wake(queue: string, until: number): void {
    const { clock, onChange } = this.#parts
    clock.after(Math.max(1, Math.ceil(until - clock.elapsed())), () => {
      if (clock.elapsed() < until) this.#wake(queue, until)
      else onChange(queue)
    })
  }
}
