import type { Clock } from '../clock.ts'
import type { Job } from '../job/job.ts'

/** A queue whose leader is lost has another before this; one that refuses for longer is full. */
const MOMENT_MS = 2000
const SOON_MS = 100
const MOST_KEPT = 1000

interface Kept {
  readonly job: Job
  /** By the clock's `elapsed()`. */
  readonly at: number
}

/**
 * What a broker refused and is offered again soon. A queue that gets another leader refuses everything for a moment, as a full
 * one does for long: what it refuses after that moment, or beyond what is kept here, waits until the ledger answers it again.
 */
export class Refused {
  readonly #clock: Clock
  /** Since when the queue has refused something of each call. */
  readonly #since = new Map<string, number>()
  /** The next one first. */
  #kept: Kept[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What became of the jobs of one call. */
  note(taken: readonly Job[], refused: readonly Job[]): void {
    if (refused.length === 0 && this.#since.size === 0) return
    const now = this.#clock.elapsed()
    const refusing = new Set(refused.map(({ queue }) => queue))
    for (const { queue } of taken) if (!refusing.has(queue)) this.#since.delete(queue)
    for (const queue of refusing) if (!this.#since.has(queue)) this.#since.set(queue, now)
    const isMoment = (queue: string): boolean => now - (this.#since.get(queue) ?? now) < MOMENT_MS
    const soon = refused.filter(({ queue }) => isMoment(queue)).slice(0, MOST_KEPT - this.#kept.length)
    this.#kept.push(...soon.map((job) => ({ job, at: now + SOON_MS })))
  }

  /** Those whose time has come, `limit` at most; they are kept no more. */
  take(limit: number): Job[] {
    const now = this.#clock.elapsed()
    const early = this.#kept.findIndex(({ at }) => at > now)
    const due = early === -1 ? this.#kept.length : early
    return this.#kept.splice(0, Math.min(due, limit)).map(({ job }) => job)
  }
}
