import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'

const EVERY_MS = 500
const LATE_MS = 500

/** Tells when the event loop was blocked for long: then no lease is renewed and no timeout fires. */
export async function watchLoop(
  clock: Clock,
  stopping: AbortSignal,
  onBlocked: (ms: number) => void,
): Promise<void> {
  while (!stopping.aborted) {
    const begun = clock.elapsed()
    await sleep(clock, Number.POSITIVE_INFINITY, stopping, EVERY_MS)
    const lateMs = Math.round(clock.elapsed() - begun - EVERY_MS)
    if (lateMs >= LATE_MS) onBlocked(lateMs)
  }
}
