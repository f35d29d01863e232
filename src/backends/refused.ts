import type { Clock } from '../clock.ts'
import type { Job } from '../job/job.ts'

/** A queue whose leader is lost has another before this; one that refuses for longer is full. */
const MOMENT_MS = 2000
const SOON_MS = 100
/** What a queue refused so long ago says nothing of now; one that is full refuses more often. */
const FORGOTTEN_MS = 10_000
const MOST_KEPT = 1000

interface Kept {
  readonly job: Job
  readonly at: number
}

/** When a queue refused first, and last, with nothing between that was taken whole. By the clock's `elapsed()`. */
interface Refusing {
  readonly since: number
  readonly last: number
}

/**
 * What a broker refused and is offered again soon. A queue that gets another leader refuses everything for a moment, as a full
 * one does for long: what it refuses after that moment, or beyond what is kept here, waits until the ledger answers it again.
 */
export class Refused {
  readonly #clock: Clock
  readonly #refusing = new Map<string, Refusing>()
  /** The next one first. */
  #kept: Kept[] = []

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** What became of the jobs of one call. Answers the queues that began to refuse with it. */
  note(taken: readonly Job[], refused: readonly Job[]): readonly string[] {
    if (refused.length === 0 && this.#refusing.size === 0) return []
    const now = this.#clock.elapsed()
    const refusing = new Set(refused.map(({ queue }) => queue))
    for (const { queue } of taken) if (!refusing.has(queue)) this.#refusing.delete(queue)
    for (const [queue, { last }] of this.#refusing)
      if (now - last > FORGOTTEN_MS) this.#refusing.delete(queue)
    const begun = [...refusing].filter((queue) => !this.#refusing.has(queue))
    for (const queue of refusing)
      this.#refusing.set(queue, { since: this.#refusing.get(queue)?.since ?? now, last: now })
    this.#keep(refused.filter(({ queue }) => this.#isMoment(queue, now)))
    return begun
  }

  /** Those whose time has come, `limit` at most; they are kept no more. */
  take(limit: number): Job[] {
    const now = this.#clock.elapsed()
    const early = this.#kept.findIndex(({ at }) => at > now)
    const due = early === -1 ? this.#kept.length : early
    return this.#kept.splice(0, Math.min(due, limit)).map(({ job }) => job)
  }

  #isMoment(queue: string, now: number): boolean {
    const { since = now } = this.#refusing.get(queue) ?? {}
    return now - since < MOMENT_MS
  }

  #keep(jobs: readonly Job[]): void {
    const at = this.#clock.elapsed() + SOON_MS
    for (const job of jobs.slice(0, MOST_KEPT - this.#kept.length)) this.#kept.push({ job, at })
  }
}
