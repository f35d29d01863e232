import { setImmediate } from 'node:timers' // not the global one, which fake timers of a test would stop
import type { Claim, Want } from '../../broker.ts'

/**
 * Who waits in this process for jobs of a queue gives their want to the next call that accepts such jobs: it is accepted and
 * claimed in one step. What they do not take at once is given back.
 */
export class Handover {
  readonly #giveBack: (claims: readonly Claim[]) => void
  readonly #wants = new Map<string, Want>()
  readonly #claims = new Map<string, readonly Claim[]>()

  constructor(giveBack: (claims: readonly Claim[]) => void) {
    this.#giveBack = giveBack
  }

  /** Somebody found nothing in the queue, and will wait. */
  wait(queue: string, want: Want): void {
    this.#wants.set(queue, want)
  }

  /** The want for one of the queues, once: nobody is given more than they have room for. */
  wantFor(
    queues: Iterable<string>,
    isAwaited: (queue: string) => boolean,
  ): readonly [queue: string, want: Want] | undefined {
    for (const queue of queues) {
      const want = this.#wants.get(queue)
      if (want === undefined || !isAwaited(queue)) continue
      this.#wants.delete(queue)
      return [queue, want]
    }
    return undefined
  }

  /** @param wake tells who waits that there is something */
  give(queue: string, claims: readonly Claim[], wake: () => void): void {
    if (claims.length > 0) this.#claims.set(queue, [...(this.#claims.get(queue) ?? []), ...claims])
    wake()
    setImmediate(() => {
      const left = this.#claims.get(queue)
      this.#claims.delete(queue)
      if (left !== undefined) this.#giveBack(left)
    })
  }

  /** What was given; undefined where there is nothing. */
  take(queue: string, limit: number): readonly Claim[] | undefined {
    const claims = this.#claims.get(queue)
    if (claims === undefined) return undefined
    const left = claims.slice(limit)
    if (left.length > 0) this.#claims.set(queue, left)
    else this.#claims.delete(queue)
    return claims.slice(0, limit)
  }
}
