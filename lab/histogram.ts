const LEAST = 0.01
const GROWTH = 1.05
const BUCKETS = 400

/**
 * Counts values (ms, say) in buckets that are each 5 % wider than the one before, from 0.01 up: it tells percentiles to a few
 * percent, takes up the same room however much was counted, and adds up with those of other processes.
 */
export class Histogram {
  #counts: number[] = empty()

  add(value: number): void {
    const bucket = bucketOf(value)
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1
  }

  merge(counts: readonly number[]): void {
    counts.forEach((count, bucket) => {
      this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count
    })
  }

  /** Answers what was counted since it was last taken. */
  take(): readonly number[] {
    const counts = this.#counts
    this.#counts = empty()
    return counts
  }

  /** The middle of the bucket below whose end `part` (0 to 1) of all values lie; undefined of nothing. */
  percentile(part: number): number | undefined {
    const total = this.#counts.reduce((sum, count) => sum + count, 0)
    let seen = 0
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count
      if (count > 0 && seen >= total * part) return LEAST * GROWTH ** (bucket - 0.5)
    }
    return undefined
  }
}

function empty(): number[] {
  return new Array<number>(BUCKETS).fill(0)
}

function bucketOf(value: number): number {
  const bucket = Math.ceil(Math.log(Math.max(value, LEAST) / LEAST) / Math.log(GROWTH))
  return Math.min(bucket, BUCKETS - 1)
}
