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
    const begun = performance.now()
    await sleep(clock, EVERY_MS, stopping)
    const lateMs = Math.round(performance.now() - begun - EVERY_MS)
    if (lateMs >= LATE_MS) onBlocked(lateMs)
  }
}
