import type { Clock } from '../../clock.ts'
import type { JobFault } from '../../job/job.ts'
import type { Move } from '../../job/state.ts'
import type { Logger } from '../../log.ts'
import { changeOf } from './change.ts'
import type { Stored } from './codec.ts'
import type { Connection } from './connection.ts'
import type { Decided, Moves } from './moves.ts'
import { idsIn, rowsOf } from './page.ts'
import { scripts } from './scripts/index.ts'

const BATCH = 500

/** Makes the moves that time alone makes, at the instant they are due and whenever it is asked. */
export class Due {
  readonly #at: Connection
  readonly #moves: Moves
  readonly #clock: Clock
  readonly #logger: Logger
  #timer: { at: number; cancel: () => void } | undefined
  #closed = false

  constructor(at: Connection, moves: Moves, { clock, logger }: { clock: Clock; logger: Logger }) {
    this.#at = at
    this.#moves = moves
    this.#clock = clock
    this.#logger = logger
  }

  close(): void {
    this.#closed = true
    this.#timer?.cancel()
  }

  /** Makes the moves that time alone makes. */
  async move(): Promise<void> {
    for (;;) {
      const now = this.#at.now()
      const [next, kinds, scheduled, leases, deadlines] = (await this.#at.run(scripts.due, {
        args: { now, limit: BATCH },
      })) as [string, string[], string[], string[], string[]]
      this.#at.kinds.learn(kinds)
      if (scheduled.length + leases.length + deadlines.length === 0) {
        if (next !== '') this.arm(Number(next))
        return
      }
      const decided: Decided[] = []
      const met = new Set<string>()
      const stray: Record<string, string[]> = {}
      const decide = (
        kind: string,
        answer: readonly string[],
        stepOf: (stored: Stored) => Move | undefined,
      ): void => {
        const usable = new Map(rowsOf(answer, this.#at.kinds).map(({ stored }) => [stored.id, stored]))
        for (const id of idsIn(answer)) {
          const stored = usable.get(id)
          const step = stored && stepOf(stored)
          const change = stored && step && changeOf(stored, step, now)
          if (change === undefined) stray[kind] = [...(stray[kind] ?? []), id]
          else if (!met.has(id)) decided.push({ stored: stored as Stored, change, index: 0 })
          met.add(id)
        }
      }
      decide('deadlines', deadlines, (stored) => overdue(stored, now))
      decide('scheduled', scheduled, ({ header }) => (header?.s === 's' ? { type: 'due' } : undefined))
      decide('leases', leases, (stored) => lapse(stored, now))
      await this.#moves.apply(decided, Object.keys(stray).length > 0 ? { stray } : {})
    }
  }

  /** Sees to it that somebody looks when the next job is due. @param at by the store's clock */
  arm(at: number): void {
    if (at >= (this.#timer?.at ?? Number.POSITIVE_INFINITY) || this.#closed) return
    this.#timer?.cancel()
    const cancel = this.#clock.after(Math.max(0, at - this.#at.now()), () => {
      this.#timer = undefined
      this.move().catch((error: unknown) => {
        if (!this.#closed)
          this.#logger.warn({ error: String(error) }, 'moving due jobs failed; tried again at the next poll')
      })
    })
    this.#timer = { at, cancel }
  }
}

function overdue({ body, header }: Stored, now: number): Move | undefined {
  const { deadline = Number.POSITIVE_INFINITY } = body.job
  const waits = header === undefined || header.s === 'q' || header.s === 's'
  if (!waits || deadline > now) return undefined
  const message = `not started before its deadline ${new Date(deadline).toISOString()}`
  return { type: 'overdue', fault: fault('DEADLINE_PASSED', 'DeadlinePassed', message, header?.a ?? 0, now) }
}

function lapse({ header }: Stored, now: number): Move | undefined {
  if (header?.s !== 'r') return undefined
  const message = `worker ${header.w ?? '?'} did not renew its lease`
  return { type: 'lapse', fault: fault('LEASE_LOST', 'LeaseLost', message, header.a, now) }
}

function fault(code: string, name: string, message: string, attempt: number, at: number): JobFault {
  return { code, name, message, attempt, at }
}
