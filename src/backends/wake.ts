import type { Clock } from '../clock.ts'
import type { JobEventType } from '../ledger.ts'

/** Tells waiters of one process that something may have changed. A hint, never a promise: every waiter also polls. */
export class Wake {
  readonly #clock: Clock
  readonly #waiters = new Map<string, Set<() => void>>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Wakes who waits for the topic; everybody when none is named. */
  notify(topic?: string): void {
    const topics = topic === undefined ? [...this.#waiters.keys()] : [topic]
    for (const name of topics) for (const wake of [...(this.#waiters.get(name) ?? [])]) wake()
  }

  /** Whether anybody waits for the topic. */
  isAwaited(topic: string): boolean {
    return this.#waiters.has(topic)
  }

  /** Listens from the call on: `hint` resolves at the next one, after `ms`, when `signal` aborts, or at `stop()`. */
  listen(topic: string, ms: number, signal: AbortSignal): Listening {
    let stop = (): void => {}
    const hint = new Promise<void>((resolve) => {
      if (signal.aborted) return resolve()
      const waiters = this.#waiters.get(topic) ?? new Set()
      this.#waiters.set(topic, waiters)
      stop = (): void => {
        cancel()
        signal.removeEventListener('abort', stop)
        waiters.delete(stop)
        if (waiters.size === 0 && this.#waiters.get(topic) === waiters) this.#waiters.delete(topic)
        resolve()
      }
      const cancel = this.#clock.after(ms, stop, 'poll')
      signal.addEventListener('abort', stop, { once: true })
      waiters.add(stop)
    })
    return { hint, stop: () => stop() }
  }
}

interface Listening {
  readonly hint: Promise<void>
  stop(): void
}

/** Topics: one per queue for jobs that can start, one for all events, one per type of event. */
export const jobsIn = (queue: string): string => `jobs:${queue}`
export const eventsOf = (type?: JobEventType): string => (type === undefined ? 'events' : `events:${type}`)
