import type { Beat, LeaseState } from '../../broker.ts'
import type { LogLine } from '../../job/job.ts'
import { MAX_LOG_LINES } from '../../job/job.ts'
import type { Settlement } from '../../job/state.ts'
import type { Receipt } from './claim.ts'
import type { Row } from './rows.ts'
import { STATE } from './rows.ts'
import type { Step } from './step.ts'

/** Ends claims; false where the fence has moved on. */
export function settle(step: Step, settlements: readonly Settlement[]): boolean[] {
  return settlements.map((settlement) => {
    const { receipt } = settlement.claim
    if (settlement.type === 'done' && isReceipt(receipt))
      return finish(step, settlement.claim.job.id, receipt, settlement.claim.fence, settlement.result)
    const row = held(step, settlement.claim)
    return row !== undefined && step.apply(row, settlement)
  })
}

/** The common end in one statement; it is the `done` move of the state machine. */
function finish(
  step: Step,
  id: string,
  receipt: Receipt,
  fence: number,
  result: string | undefined,
): boolean {
  const { changes } = step.db
    .sql(
      'update jobs set state = 3, ended = ?, due = null, worker = null, cancelling = 0, result = ? where seq = ? and fence = ? and state = 2',
    )
    .run(step.now, result ?? null, receipt.seq, fence)
  if (changes === 0) return false
  step.count(receipt.queue, STATE.running, -1)
  step.count(receipt.queue, STATE.done, 1)
  step.events.push(['done', id, receipt.queue, receipt.task, receipt.attempt])
  if (receipt.key !== undefined) step.lineUp(receipt.queue, receipt.key)
  return true
}

export function renew(step: Step, beats: readonly Beat[], leaseMs: number): LeaseState[] {
  const leaseUntil = step.now + leaseMs
  return beats.map(({ claim, progress, log }) => {
    const row = held(step, claim)
    if (row === undefined) return 'lost'
    step.db.sql('update jobs set due = ? where seq = ?').run(leaseUntil, row.seq)
    step.dueAt = Math.min(step.dueAt, leaseUntil)
    if (progress !== undefined) {
      step.db.sql('update jobs set progress = ? where seq = ?').run(progress, row.seq)
      step.events.push(['progress', row.id, row.queue, row.task, row.attempt, progress])
    }
    if (log !== undefined && log.length > 0) {
      const lines = [...(row.log === null ? [] : (JSON.parse(row.log) as LogLine[])), ...log].slice(
        -MAX_LOG_LINES,
      )
      step.db.sql('update jobs set log = ? where seq = ?').run(JSON.stringify(lines), row.seq)
    }
    return row.cancelling === 1 ? 'cancelled' : 'held'
  })
}

function held(step: Step, claim: Settlement['claim']): Row | undefined {
  return step.db
    .sql('select * from jobs where id = ? and fence = ? and state = 2')
    .get(claim.job.id, claim.fence) as Row | undefined
}

function isReceipt(receipt: unknown): receipt is Receipt {
  return typeof receipt === 'object' && receipt !== null && 'seq' in receipt
}
