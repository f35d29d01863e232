/** Where every instant and every wait comes from, so that a test can run years in a millisecond. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number
  /** Milliseconds since some moment, for measuring; never set back. */
  elapsed(): number
  /**
   * Calls `run` once after `ms` milliseconds unless the returned function is called first. Never keeps a process alive.
   * A `poll` only looks for what a hint tells of anyway: where no hint is ever lost, it may come late.
   */
  after(ms: number, run: () => void, kind?: 'poll'): () => void
  /** Keeps the process alive while something is awaited that only timers of this clock would wake. Call the answer to let go. */
  keepAlive(): () => void
}

const LONGEST_TIMER_MS = 2 ** 31 - 1

export const systemClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), LONGEST_TIMER_MS))
    timer.unref()
    return () => clearTimeout(timer)
  },
  keepAlive() {
    const timer = setInterval(() => {}, 2 ** 30)
    return () => clearInterval(timer)
  },
}

/**
 * Resolves after `ms` milliseconds (Infinity for never), or at once when `signal` aborts. Never rejects. With `pollMs` it
 * resolves after that time at the latest, as a poll.
 */
export function sleep(
  clock: Clock,
  ms: number,
  signal?: AbortSignal,
  pollMs: number = Number.POSITIVE_INFINITY,
): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted === true) return resolve()
    const end = (): void => {
      for (const cancel of cancels) cancel()
      signal?.removeEventListener('abort', end)
      resolve()
    }
    const cancels: (() => void)[] = []
    if (ms !== Number.POSITIVE_INFINITY) cancels.push(clock.after(ms, end))
    if (pollMs < ms) cancels.push(clock.after(pollMs, end, 'poll'))
    signal?.addEventListener('abort', end, { once: true })
  })
}
