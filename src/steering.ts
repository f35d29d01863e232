import type { Clock } from './clock.ts'
import type { CancelVerdict } from './handle.ts'
import { checkName } from './job/id.ts'
import type { ActVerdict, DeadFilter, Ledger } from './ledger.ts'

export interface BulkOptions {
  /** Told how many jobs were done so far. */
  readonly onProgress?: (count: number) => void
}

const BULK = 500

/** What is done to jobs and queues from outside, by way of the ledger. */
export class Steering {
  readonly #ledger: () => Promise<Ledger>
  readonly #clock: Clock

  constructor(ledger: () => Promise<Ledger>, clock: Clock) {
    this.#ledger = ledger
    this.#clock = clock
  }

  async cancel(id: string): Promise<CancelVerdict> {
    const verdict = await this.#one('cancel', id)
    return verdict === 'done' ? 'cancelled' : (verdict as CancelVerdict)
  }

  async retry(id: string): Promise<boolean> {
    return (await this.#one('retry', id)) === 'done'
  }

  /** Of the dead letters that were there when it was called; answers how many. */
  async bulk(type: 'redrive' | 'purge', filter: DeadFilter, { onProgress }: BulkOptions): Promise<number> {
    const ledger = await this.#ledger()
    const before = this.#clock.now() + 1
    let done = 0
    for (;;) {
      const { count } = await ledger.act({ type, filter, before, limit: BULK })
      done += count
      if (count > 0) onProgress?.(done)
      if (count < BULK) return done
    }
  }

  async queue(type: 'pause' | 'resume', queue: string): Promise<void> {
    await (await this.#ledger()).act({ type, queue: checkName('queue', queue) })
  }

  async #one(type: 'cancel' | 'retry', id: string): Promise<ActVerdict | undefined> {
    const { verdicts } = await (await this.#ledger()).act({ type, ids: [id] })
    return verdicts[0]
  }
}
