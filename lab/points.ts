import type { Outside } from './outside.ts'

export type Method = 'enqueue' | 'claim' | 'settle' | 'renew'

/** Where a child kills itself: around the n-th call of the broker, or in the n-th run before or after its effect. */
export interface Kill {
  readonly at: Method | 'run'
  readonly when: 'before' | 'after'
  readonly nth: number
}

/** The named points that a child passes, one of which may be its end. */
export class Points {
  readonly #outside: Outside
  readonly #kill: Kill | undefined
  readonly #counts = new Map<Kill['at'], number>()

  constructor(outside: Outside, kill: Kill | undefined) {
    this.#outside = outside
    this.#kill = kill
  }

  die(): never {
    this.#outside.write('K', this.#kill?.at ?? 'poison')
    process.kill(process.pid, 'SIGKILL')
    for (;;);
  }

  /** Which time it is that this is done. */
  count(at: Kill['at']): number {
    const count = (this.#counts.get(at) ?? 0) + 1
    this.#counts.set(at, count)
    return count
  }

  pass(at: Kill['at'], when: Kill['when'], count: number): void {
    const kill = this.#kill
    if (kill?.at === at && kill.when === when && kill.nth === count) this.die()
  }
}
