import { hostname } from 'node:os'
import type { Backend } from '../backend.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import { Standing } from './standing.ts'

/** Autoscalers are documents of this kind; they are no part of a store that is moved. */
export const SCALING_KIND = 'autoscaler'
const EVERY_MS = 5000
/** One that did not tell of itself for so many turns is gone. */
const MISSED = 3
/** A stop waits so long at most to take leave. */
const LEAVE_MS = 1000
const MOST_DECISIONS = 50

/** What an autoscaler decides about, and between what. */
export interface ScalingPlan {
  readonly queues: readonly string[]
  readonly min: number
  readonly max: number
}

/** So many workers as there were, or others, and why. */
export interface ScalingDecision {
  readonly from: number
  readonly to: number
  /** A short word. */
  readonly reason: string
  /** One sentence with the figures. */
  readonly text: string
}

/** What an autoscaler told of itself last. Times are milliseconds since the epoch. */
export interface ScalingView extends ScalingPlan {
  readonly id: string
  readonly host: string
  readonly pid: number
  readonly startedAt: number
  readonly seenAt: number
  /** As many as it wants now; undefined before it has decided. */
  readonly workers?: number
  /** The newest first: so many at most. */
  readonly decisions: readonly (ScalingDecision & { readonly at: number })[]
}

export interface ScalingLogParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly id: string
  readonly plan: ScalingPlan
}

/** Keeps what an autoscaler decides in the store, so that whoever looks sees it, until it ends or is gone. Nothing hangs on it: what fails is tried again. */
export class ScalingLog {
  readonly #parts: ScalingLogParts
  readonly #startedAt: number
  readonly #standing: Standing
  #decisions: ScalingView['decisions'] = []
  #cancel: (() => void) | undefined
  #last: Promise<void> = Promise.resolve()
  #isOut = false

  constructor(parts: ScalingLogParts) {
    const { open, clock, id } = parts
    this.#parts = parts
    this.#startedAt = clock.now()
    this.#standing = new Standing({ open, kind: SCALING_KIND, name: id })
    this.#turn()
  }

  note(decision: ScalingDecision): void {
    const at = this.#parts.clock.now()
    this.#decisions = [{ at, ...decision }, ...this.#decisions].slice(0, MOST_DECISIONS)
    this.#turn()
  }

  async end(): Promise<void> {
    this.#isOut = true
    this.#cancel?.()
    const leaving = this.#last.then(() => this.#standing.remove()).catch(() => {})
    await Promise.race([leaving, sleep(this.#parts.clock, LEAVE_MS)])
  }

  #turn(): void {
    if (this.#isOut) return
    this.#cancel?.()
    this.#cancel = this.#parts.clock.after(EVERY_MS, () => this.#turn(), 'poll')
    this.#last = this.#last.then(() => this.#tell()).catch(() => {})
  }

  async #tell(): Promise<void> {
    if (this.#isOut) return
    const { clock, id, plan } = this.#parts
    const now = clock.now()
    const [newest] = this.#decisions
    const view: ScalingView = {
      ...plan,
      id,
      host: hostname(),
      pid: process.pid,
      startedAt: this.#startedAt,
      seenAt: now,
      ...(newest === undefined ? {} : { workers: newest.to }),
      decisions: this.#decisions,
    }
    await this.#standing.write(JSON.stringify(view), now + MISSED * EVERY_MS)
    await this.#standing.sweep(now)
  }
}
