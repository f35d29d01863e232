import type { Claim } from '../broker.ts'

/** What is claimed and has not begun, the oldest first. */
export class ClaimBuffer {
  #claims: Claim[] = []
  #renewedUntil = 0

  get size(): number {
    return this.#claims.length
  }

  all(): readonly Claim[] {
    return this.#claims
  }

  add(claims: readonly Claim[]): void {
    this.#claims.push(...claims)
  }

  /** The oldest. */
  takeNext(): Claim | undefined {
    return this.#claims.shift()
  }

  /** All that are here have leases until then. */
  renewed(until: number): void {
    this.#renewedUntil = until
  }

  /** When the lease of one that was here until now ends. */
  leaseUntil(claim: Claim): number {
    return Math.max(claim.leaseUntil, this.#renewedUntil)
  }

  countOf(queue: string): number {
    return this.#claims.reduce((count, { job }) => count + (job.queue === queue ? 1 : 0), 0)
  }

  /** The newest of a queue: so many at most. */
  takeNewestOf(queue: string, most: number): Claim[] {
    const taken = new Set(most > 0 ? this.#claims.filter(({ job }) => job.queue === queue).slice(-most) : [])
    this.drop(taken)
    return [...taken]
  }

  drop(those: ReadonlySet<Claim>): void {
    if (those.size > 0) this.#claims = this.#claims.filter((claim) => !those.has(claim))
  }

  takeAll(): Claim[] {
    return this.#claims.splice(0)
  }
}
