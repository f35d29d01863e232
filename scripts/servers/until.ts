import { setTimeout as wait } from 'node:timers/promises'

const EVERY_MS = 25
const PATIENCE_MS = 25_000

/** Asks again and again until the answer is yes; an error counts as no. Throws after 25 s, or as told, with what was waited for. */
export async function until(
  what: string,
  isSo: () => Promise<boolean>,
  patienceMs = PATIENCE_MS,
): Promise<void> {
  const end = performance.now() + patienceMs
  let cause: unknown
  while (performance.now() < end) {
    try {
      if (await isSo()) return
    } catch (error) {
      cause = error
    }
    await wait(EVERY_MS)
  }
  throw new Error(`waited for ${patienceMs / 1000} s in vain: ${what}`, { cause })
}
