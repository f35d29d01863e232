import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'

const EVERY_MS = 500
/** As late as this, it was blocked. */
export const BLOCKED_MS = 500

/** Tells how late the event loop is, again and again: while it is blocked, no lease is renewed and no timeout fires. */
export async function watchLoop(
  clock: Clock,
  stopping: AbortSignal,
  onLate: (ms: number) => void,
): Promise<void> {
  while (!stopping.aborted) {
    const begun = clock.elapsed()
    await sleep(clock, Number.POSITIVE_INFINITY, stopping, EVERY_MS)
    onLate(Math.max(0, Math.round(clock.elapsed() - begun - EVERY_MS)))
  }
}
