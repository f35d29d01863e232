import { constants } from 'node:os'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** A terminal sends Ctrl-C to a whole group, and npx passes its own on: what comes within this time is one and the same. */
const SAME_MS = 300

/** Resolves at the first signal to stop. The second one ends the process at once, with 128 + its number. */
export function untilSignal(onForced: () => void): Promise<NodeJS.Signals> {
  return new Promise((stop) => {
    let first: number | undefined
    for (const signal of SIGNALS) {
      process.on(signal, () => {
        if (first === undefined) {
          first = performance.now()
          stop(signal)
        } else if (performance.now() - first > SAME_MS) {
          onForced()
          process.exit(128 + constants.signals[signal])
        }
      })
    }
  })
}
