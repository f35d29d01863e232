import { setImmediate } from 'node:timers' // not the global one, which fake timers of a test would stop
import type { Claim, Want } from '../../broker.ts'

/** What a queue's waiters of this process are about. */
interface Place {
  /** Of somebody who found nothing, and waits. */
  want: Want | undefined
  /** The want went with a call that accepts jobs, and is not answered. */
  out: PromiseWithResolvers<void> | undefined
  /** Claims under way. */
  claiming: number
  claims: readonly Claim[]
}

/**
 * Who waits in this process for jobs of a queue gives their want to the next call that accepts such jobs: it is accepted and
 * claimed in one step. What nobody takes is given back at once.
 */
export class Handover {
  readonly #places = new Map<string, Place>()
  readonly #isAwaited: (queue: string) => boolean
  readonly #wake: (queue: string) => void
  readonly #giveBack: (claims: readonly Claim[]) => void

  constructor(around: {
    readonly isAwaited: (queue: string) => boolean
    readonly wake: (queue: string) => void
    readonly giveBack: (claims: readonly Claim[]) => void
  }) {
    this.#isAwaited = around.isAwaited
    this.#wake = around.wake
    this.#giveBack = around.giveBack
  }

  /** Takes what was given, or asks for more. */
  async claim(queue: string, want: Want, ask: () => Promise<readonly Claim[]>): Promise<readonly Claim[]> {
    const place = this.#placeOf(queue)
    // Whoever was told by others of the same jobs would get those that are behind them.
    await place.out?.promise
    const given = take(place, want.limit)
    if (given.length > 0) return given
    place.claiming++
    try {
      const claims = await ask()
      const all = [...take(place, want.limit - claims.length), ...claims]
      place.want = all.length === 0 ? want : undefined
      return all
    } finally {
      place.claiming--
      this.#lookAfter(queue, place)
    }
  }

  /** The want for one of the queues, once: nobody is given more than they have room for. */
  wantFor(queues: Iterable<string>): readonly [queue: string, want: Want] | undefined {
    for (const queue of queues) {
      const place = this.#places.get(queue)
      if (place?.want === undefined || place.out !== undefined || !this.#isAwaited(queue)) continue
      const { want } = place
      place.want = undefined
      place.out = Promise.withResolvers()
      return [queue, want]
    }
    return undefined
  }

  /** Whether the answer to a want will wake who waits. */
  isOut(queue: string): boolean {
    return this.#places.get(queue)?.out !== undefined
  }

  /** The answer to a want, also where there are no claims. */
  give(queue: string, claims: readonly Claim[]): void {
    const place = this.#placeOf(queue)
    place.claims = [...place.claims, ...claims]
    place.out?.resolve()
    place.out = undefined
    this.#wake(queue)
    this.#lookAfter(queue, place)
  }

  #placeOf(queue: string): Place {
    const place = this.#places.get(queue) ?? { want: undefined, out: undefined, claiming: 0, claims: [] }
    this.#places.set(queue, place)
    return place
  }

  /** Gives back what nobody will take. */
  #lookAfter(queue: string, place: Place): void {
    if (place.claims.length === 0) return
    setImmediate(() => {
      if (place.claims.length === 0 || place.claiming > 0) return
      if (!this.#isAwaited(queue)) return this.#giveBack(take(place, place.claims.length))
      this.#wake(queue)
      this.#lookAfter(queue, place)
    })
  }
}

function take(place: Place, limit: number): readonly Claim[] {
  const taken = place.claims.slice(0, limit)
  place.claims = place.claims.slice(limit)
  return taken
}
