/** Times of the last minute or two, in buckets that grow by a quarter: a percentile is right within 12 %. */
const GROWTH = 1.25
/** The first bucket ends here, in ms; the last begins at about two days. */
const LEAST_MS = 0.05
const BUCKETS = 100
const HALF_MS = 30_000

/** How long things took, in ms; null where there were none. */
export interface Percentiles {
  readonly count: number
  readonly p50: number
  readonly p95: number
  readonly p99: number
}

/** Counts times in two halves of a minute, so that what is told is never older than a minute nor empty at its turn. */
export class Spread {
  #now = new Uint32Array(BUCKETS)
  #before = new Uint32Array(BUCKETS)
  #turnedAt = 0

  add(ms: number): void {
    const nth = ms <= LEAST_MS ? 0 : Math.ceil(Math.log2(ms / LEAST_MS) / LOG_GROWTH)
    const at = Math.min(nth, BUCKETS - 1)
    this.#now[at] = (this.#now[at] ?? 0) + 1
  }

  /** @param elapsed of a clock that is never set back */
  read(elapsed: number): Percentiles | null {
    this.#turn(elapsed)
    const counts = this.#now.map((count, at) => count + (this.#before[at] ?? 0))
    const count = counts.reduce((sum, one) => sum + one, 0)
    if (count === 0) return null
    const at = (share: number): number => msOf(bucketAt(counts, count * share))
    return { count, p50: at(0.5), p95: at(0.95), p99: at(0.99) }
  }

  #turn(elapsed: number): void {
    const passed = elapsed - this.#turnedAt
    if (passed < HALF_MS) return
    this.#before = passed < 2 * HALF_MS ? this.#now : new Uint32Array(BUCKETS)
    this.#now = new Uint32Array(BUCKETS)
    this.#turnedAt = elapsed
  }
}

const LOG_GROWTH = Math.log2(GROWTH)

function bucketAt(counts: Uint32Array, least: number): number {
  let sum = 0
  return counts.findIndex((count) => {
    sum += count
    return sum >= least
  })
}

/** The middle of a bucket, with three digits. */
function msOf(bucket: number): number {
  return Number((LEAST_MS * GROWTH ** (bucket - 0.5)).toPrecision(3))
}
