import type { Claim } from '../broker.ts'

/** What is claimed and has not begun, the oldest first. */
export class ClaimBuffer {
  #claims: Claim[] = []

  get size(): number {
    return this.#claims.length
  }

  all(): readonly Claim[] {
    return this.#claims
  }

  add(claims: readonly Claim[]): void {
    this.#claims.push(...claims)
  }

  /** The oldest, which is taken out. */
  next(): Claim | undefined {
    return this.#claims.shift()
  }

  countOf(queue: string): number {
    return this.#claims.reduce((count, { job }) => count + (job.queue === queue ? 1 : 0), 0)
  }

  /** The newest of a queue, which are taken out: so many at most. */
  newestOf(queue: string, most: number): Claim[] {
    const taken = new Set(most > 0 ? this.#claims.filter(({ job }) => job.queue === queue).slice(-most) : [])
    this.drop(taken)
    return [...taken]
  }

  drop(those: ReadonlySet<Claim>): void {
    if (those.size > 0) this.#claims = this.#claims.filter((claim) => !those.has(claim))
  }

  /** All of it, which is taken out. */
  empty(): Claim[] {
    return this.#claims.splice(0)
  }
}
