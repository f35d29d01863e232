import type { Depth } from '../broker.ts'

interface Sample {
  readonly at: number
  readonly ended: number
  readonly failed: number
}

/** What was measured lately, in this process. */
export class Past {
  readonly #windowMs: number
  readonly #samples = new Map<string, Sample[]>()
  readonly #since = new Map<string, number>()

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  add(queues: readonly Depth[], at: number): void {
    for (const { queue, totals } of queues) {
      if (totals === null) continue
      const { done, failed, dead } = totals
      const samples = this.#samples.get(queue) ?? []
      samples.push({ at, ended: done + failed + dead, failed: failed + dead })
      // One that is older than the window is kept, so that the whole window is seen.
      while ((samples[1]?.at ?? at) <= at - this.#windowMs) samples.shift()
      this.#samples.set(queue, samples)
    }
  }

  /** Attempts that ended, and those that failed, within the window; undefined before it was looked at twice. */
  lately(queue: string): { readonly ended: number; readonly failed: number } | undefined {
    const samples = this.#samples.get(queue) ?? []
    const [first, last] = [samples[0], samples.at(-1)]
    if (first === undefined || last === undefined || samples.length < 2) return undefined
    return { ended: last.ended - first.ended, failed: last.failed - first.failed }
  }

  /** For how long something has been so, at every look. */
  lasts(what: string, isSo: boolean, at: number): number {
    if (!isSo) {
      this.#since.delete(what)
      return 0
    }
    const since = this.#since.get(what) ?? at
    this.#since.set(what, since)
    return at - since
  }
}
