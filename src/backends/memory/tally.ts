import type { Amount, Totals } from '../../broker.ts'
import type { JobRecord, JobState } from '../../job/job.ts'
import { isEnded, isWaiting } from '../../job/job.ts'
import { isFailure } from '../../job/state.ts'

interface Counts {
  readonly states: Record<JobState, number>
  readonly totals: { -readonly [What in keyof Totals]: number }
  waitingBytes: number
}

const fresh = (): Counts => ({
  states: { scheduled: 0, queued: 0, running: 0, done: 0, dead: 0, cancelled: 0 },
  totals: { accepted: 0, done: 0, failed: 0, dead: 0, cancelled: 0 },
  waitingBytes: 0,
})

/** What is counted of each queue. */
export class Tally {
  readonly #counts = new Map<string, Counts>()

  /** Each that ever had a job. */
  get queues(): Iterable<string> {
    return this.#counts.keys()
  }

  count(queue: string, state: JobState): number {
    return this.#of(queue).states[state]
  }

  waitingIn(queue: string): Amount {
    const { states, waitingBytes } = this.#of(queue)
    return { jobs: states.queued + states.scheduled, bytes: waitingBytes }
  }

  totalsOf(queue: string): Totals {
    return { ...this.#of(queue).totals }
  }

  accepted(record: JobRecord): void {
    if (!this.#counts.has(record.queue)) this.#counts.set(record.queue, fresh())
    this.#of(record.queue).totals.accepted++
    this.#add(record, 1)
    this.#ended(record)
  }

  moved(before: JobRecord, after: JobRecord): void {
    this.#add(before, -1)
    this.#add(after, 1)
    this.#ended(after)
    if (isFailure(before, after)) this.#of(after.queue).totals.failed++
  }

  forgotten(record: JobRecord): void {
    this.#add(record, -1)
  }

  #of(queue: string): Counts {
    return this.#counts.get(queue) ?? fresh()
  }

  #ended({ queue, state }: JobRecord): void {
    if (isEnded(state)) this.#of(queue).totals[state as 'done' | 'dead' | 'cancelled']++
  }

  #add({ queue, state, payload }: JobRecord, by: number): void {
    const counts = this.#of(queue)
    counts.states[state] += by
    if (isWaiting(state)) counts.waitingBytes += by * Buffer.byteLength(payload)
  }
}
