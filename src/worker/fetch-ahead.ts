/** Work that a worker keeps at hand beyond what runs. */
const AHEAD_MS = 50
/** Never more than this part of the lease. */
const LEASE_PART = 0.1
const MOST = 1000

/**
 * How many jobs to hold beyond the free slots: about 50 ms of measured work, a small part of the lease at most,
 * none when jobs are long. Before anything was measured: as many as run at once, 20 at most.
 */
export function fetchAhead(concurrency: number, meanRunMs: number | undefined, leaseMs: number): number {
  if (meanRunMs === undefined) return Math.min(concurrency, 20)
  const ms = Math.min(AHEAD_MS, leaseMs * LEASE_PART)
  if (meanRunMs >= ms) return 0
  return Math.min(MOST, Math.floor((concurrency * ms) / Math.max(meanRunMs, 0.01)))
}

/** The running mean of durations, newer ones weighing more. */
export function smoothed(mean: number | undefined, sample: number): number {
  return mean === undefined ? sample : mean * 0.9 + sample * 0.1
}
