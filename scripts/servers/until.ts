import { setTimeout as wait } from 'node:timers/promises'

const EVERY_MS = 25
const PATIENCE_MS = 25_000

/** Asks again and again until the answer is yes; an error counts as no. Throws after 25 s, with what was waited for. */
export async function until(what: string, isSo: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS
  let cause: unknown
  while (performance.now() < end) {
    try {
      if (await isSo()) return
    } catch (error) {
      cause = error
    }
    await wait(EVERY_MS)
  }
  throw new Error(`waited for 25 s in vain: ${what}`, { cause })
}
