/** What is known at one instant of the queues that a pool of workers serves. What cannot be told is null, never 0. */
export interface Reading {
  /** Milliseconds of a clock that is never set back. */
  readonly at: number
  readonly ready: number | null
  readonly running: number | null
  /** Scheduled jobs, of which some may be due soon. */
  readonly dueSoon: number | null
  readonly oldestAgeMs: number | null
  /** Jobs accepted so far; the totals only ever grow. */
  readonly accepted: number | null
  /** Attempts that ended so far, failed ones too. */
  readonly ended: number | null
  readonly failed: number | null
  /** Mean run time of the attempts that ended since the reading before. */
  readonly runMs: number | null
  /** Workers that claim now. */
  readonly workers: number
  /** Workers that were ordered and do not claim yet. */
  readonly starting: number
  /** Parts from 0 to 1 that are in use, where all workers are on one host. */
  readonly host?: { readonly cpu: number; readonly memory: number }
}
