import { constants } from 'node:os'

const SIGNALS = ['SIGTERM', 'SIGINT'] as const
/** A terminal sends Ctrl-C to a whole group, and npx passes its own on: what comes within this time is one and the same. */
const SAME_MS = 300

export interface Signals {
  /** Resolves at the first signal to stop. */
  readonly first: Promise<NodeJS.Signals>
  /** Called at the second one, before it ends the process. */
  onForced: () => void
}

/** Heeds signals to stop: the second one ends the process at once, with 128 + its number. */
export function heedSignals(): Signals {
  const signals: Signals = { first: untilSignal(() => signals.onForced()), onForced: (): void => {} }
  return signals
}

function untilSignal(onForced: () => void): Promise<NodeJS.Signals> {
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
