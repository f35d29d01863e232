import { setImmediate } from 'node:timers'
import type { Backend } from '../backend.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Change } from './change.ts'

/** Of a server that works on one call while this process works on what the last one brought, a few at a time are had sooner. */
const MOST_OVERLAPPING = 250

export interface ClaimLoopParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly random: () => number
  readonly worker: string
  readonly leaseMs: number
  /** How many more jobs of a queue to claim now. */
  readonly wanted: (queue: string) => number
  /** Told when that may be different. */
  readonly change: Change
  /** No answer of the backend is outstanding for the queue, or it has told that it is there: it has not gone quiet. */
  readonly onHeard: (queue: string) => void
  /** The backend has answered, or has told that it is there and has nothing. */
  readonly onReached: () => void
  readonly onClaims: (queue: string, claims: readonly Claim[]) => void
  readonly onTrouble: (error: unknown) => void
  readonly stopping: AbortSignal
}

/** Claims what is wanted of one queue, again and again, through faults of the backend, until the worker stops. */
export async function claimLoop(queue: string, parts: ClaimLoopParts): Promise<void> {
  const { open, clock, random, worker, leaseMs, stopping, onHeard, onReached } = parts
  const onWaiting = (): void => {
    onHeard(queue)
    onReached()
  }
  for (let failures = 0; !stopping.aborted; ) {
    onHeard(queue)
    const limit = parts.wanted(queue)
    if (limit < 1) {
      await parts.change.wait()
      continue
    }
    try {
      const { broker } = await open()
      const most = broker.features.overlaps === true ? MOST_OVERLAPPING : limit
      const want = { limit: Math.min(limit, most), leaseMs, worker, signal: stopping, onWaiting }
      const claims = await broker.claim(queue, want)
      failures = 0
      onReached()
      parts.onClaims(queue, claims)
      await turn()
    } catch (error) {
      parts.onTrouble(error)
      await sleep(clock, random() * Math.min(5000, 100 * 2 ** failures++), stopping)
    }
  }
}

/** Lets timers and I/O have their turn: a store and handlers that answer at once would never give it. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
