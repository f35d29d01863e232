import type { Broker } from './broker.ts'
import type { Clock } from './clock.ts'
import type { Documents } from './documents.ts'
import type { Ledger } from './ledger.ts'
import type { Logger } from './log.ts'

/** What a URL opens. A message broker without a ledger has none: it gives up status, results, cancel and dedup. */
export interface Backend {
  readonly broker: Broker
  readonly ledger?: Ledger
  /** Wherever there is a ledger. */
  readonly documents?: Documents
  close(): Promise<void>
}

export interface Retention {
  /** Done and cancelled jobs are forgotten after this (ms) … */
  readonly endedMs: number
  /** … or when more than so many are kept. */
  readonly endedCount: number
  /** The same for dead letters. */
  readonly deadMs: number
  readonly deadCount: number
  /** Events are kept for so long (ms), and at most so many. */
  readonly eventsMs: number
  readonly eventsCount: number
}

export const defaultRetention: Retention = {
  endedMs: 86_400_000,
  endedCount: 100_000,
  deadMs: 30 * 86_400_000,
  deadCount: 100_000,
  eventsMs: 3_600_000,
  eventsCount: 100_000,
}

/** What every backend is opened with. */
export interface BackendOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly retention: Retention
  /** How long a call may wait for a busy or absent store before it is rejected. */
  readonly timeoutMs: number
  /** A message broker is opened to work with no ledger beside it: it does what it can by itself. */
  readonly alone?: boolean
}
