import { systemClock } from '../../clock.ts'
import type { Part } from './delivery.ts'

const LOOK_MS = 1000
/** Its worker has given it up long before. */
const LEASES = 2

/**
 * Jobs in the hands of workers of this process. A connection holds its messages for as long as it stands; what no worker renews
 * any more, because its end could not be told in time, goes back all the same.
 */
export class Leases {
  readonly #until = new Map<Part, number>()
  readonly #giveBack: (parts: readonly Part[]) => void
  #cancel: (() => void) | undefined

  constructor(giveBack: (parts: readonly Part[]) => void) {
    this.#giveBack = giveBack
  }

  hold(parts: readonly Part[], leaseMs: number): void {
    const until = systemClock.elapsed() + leaseMs * LEASES
    for (const part of parts) this.#until.set(part, until)
    this.#cancel ??= systemClock.after(LOOK_MS, () => this.#look())
  }

  drop(part: Part): void {
    this.#until.delete(part)
  }

  close(): void {
    this.#cancel?.()
    this.#until.clear()
  }

  #look(): void {
    this.#cancel = undefined
    const now = systemClock.elapsed()
    const late = [...this.#until].filter(([, until]) => until <= now).map(([part]) => part)
    for (const part of late) this.#until.delete(part)
    if (late.length > 0) this.#giveBack(late)
    if (this.#until.size > 0) this.#cancel = systemClock.after(LOOK_MS, () => this.#look())
  }
}
