import type { Backend } from '../backend.ts'
import type { Claim } from '../broker.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Attempt } from './attempt.ts'
import type { ClaimBuffer } from './claim-buffer.ts'

const REPORT_MS = 250

export interface LeaseParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly leaseMs: number
  readonly running: ReadonlySet<Attempt>
  readonly buffer: ClaimBuffer
  readonly onTrouble: (error: unknown) => void
  readonly stopping: AbortSignal
}

/** Keeps the leases of a worker while its handlers run, and passes on that one was lost or a job cancelled. */
export class Leases {
  readonly #parts: LeaseParts

  constructor(parts: LeaseParts) {
    this.#parts = parts
  }

  /** Renews every lease in one call, well before it ends, and carries progress and log lines sooner. Ends with the last run. */
  async keep(): Promise<void> {
    const { clock, leaseMs, running, buffer, stopping } = this.#parts
    const everyMs = leaseMs / 3
    let renewedAt = clock.now()
    while (!stopping.aborted || running.size > 0) {
      await sleep(
        clock,
        Number.POSITIVE_INFINITY,
        stopping.aborted ? undefined : stopping,
        Math.min(REPORT_MS, everyMs),
      )
      const passedMs = clock.now() - renewedAt
      /** Less than nothing has passed: the clock was set back. */
      const all = passedMs >= everyMs || passedMs < 0
      if (all) renewedAt = clock.now()
      const attempts = [...running].filter((attempt) => all || attempt.hasReports)
      const claims = all ? [...buffer.all()] : []
      if (attempts.length + claims.length > 0) await this.#renew(attempts, claims)
    }
  }

  /** Carries off what a handler reported at its very end. */
  async report(attempt: Attempt): Promise<void> {
    if (attempt.reason?.code !== 'LEASE_LOST') await this.#renew([attempt], [])
  }

  async #renew(attempts: readonly Attempt[], waiting: readonly Claim[]): Promise<void> {
    const { open, clock, leaseMs, buffer, onTrouble } = this.#parts
    try {
      const leaseUntil = clock.now() + leaseMs
      const beats = [...attempts.map((attempt) => attempt.beat()), ...waiting.map((claim) => ({ claim }))]
      const { broker } = await open()
      const states = await broker.renew(beats, leaseMs)
      attempts.forEach((attempt, index) => {
        if (states[index] === 'cancelled') cancel(attempt)
        if (states[index] === 'lost')
          attempt.abort('LEASE_LOST', 'the lease was lost: the job is run elsewhere')
        else attempt.leaseUntil = leaseUntil
      })
      const lost = waiting.filter((_, index) => states[attempts.length + index] === 'lost')
      buffer.drop(new Set(lost))
      if (waiting.length > 0) buffer.renewed(leaseUntil)
    } catch (error) {
      onTrouble(error)
    }
  }

  /** Passes a cancel on as soon as the ledger tells of it; the next renewal would find it later. */
  async watchCancels(): Promise<void> {
    const { open, clock, running, stopping } = this.#parts
    while (!stopping.aborted) {
      try {
        const { ledger } = await open()
        if (ledger === undefined) return
        for await (const events of ledger.watch(undefined, stopping, 'cancelling')) {
          const ids = new Set(events.map(({ type, jobId }) => (type === 'cancelling' ? jobId : '')))
          for (const attempt of running) if (ids.has(attempt.claim.job.id)) cancel(attempt)
        }
      } catch {
        await sleep(clock, 1000, stopping)
      }
    }
  }
}

function cancel(attempt: Attempt): void {
  attempt.abort('JOB_CANCELLED', 'the job was cancelled')
}
