import type { Beat, LeaseState } from '../../broker.ts'
import type { LogLine } from '../../job/job.ts'
import { MAX_LOG_LINES } from '../../job/job.ts'
import type { Settlement } from '../../job/state.ts'
import type { Receipt } from './claim.ts'
import type { Row } from './rows.ts'
import { STATE } from './rows.ts'
import type { Step } from './step.ts'

/** A job that is done, and which settlement says so. */
interface Done {
  readonly index: number
  readonly id: string
  readonly receipt: Receipt
  readonly result: string | undefined
}

/** Ends claims; false where the fence has moved on. */
export function settle(step: Step, settlements: readonly Settlement[]): boolean[] {
  const answers: boolean[] = new Array(settlements.length).fill(false)
  const done: Done[] = []
  settlements.forEach((settlement, index) => {
    const receipt = receiptOf(settlement.claim)
    if (settlement.type === 'done' && receipt !== undefined) {
      done.push({ index, id: settlement.claim.job.id, receipt, result: settlement.result })
      return
    }
    const row = held(step, settlement.claim)
    answers[index] = row !== undefined && step.apply(row, settlement)
  })
  done.sort((a, b) => a.receipt.claim - b.receipt.claim || a.receipt.seq - b.receipt.seq)
  for (let from = 0; from < done.length; ) {
    const to = endOfRun(done, from)
    for (const { index } of finish(step, done.slice(from, to))) answers[index] = true
    from = to
  }
  return answers
}

/** A run: the jobs of one claim whose numbers follow one another. It ends in one piece. */
function endOfRun(done: readonly Done[], from: number): number {
  let to = from + 1
  for (; to < done.length; to++) {
    const [before, after] = [done[to - 1]?.receipt, done[to]?.receipt]
    if (before?.claim !== after?.claim || (before?.seq ?? 0) + 1 !== after?.seq) break
  }
  return to
}

/** The `done` move of the state machine, for a run at once. Answers those that were held. */
function finish(step: Step, run: readonly Done[]): readonly Done[] {
  const [first, last] = [run[0]?.receipt, run.at(-1)?.receipt]
  if (first === undefined || last === undefined) return []
  const { changes } = step.db
    .sql(
      `insert into ended select seq, ?, 3, ?, attempt, fence, started, null from running
       where claim = ? and seq between ? and ?`,
    )
    .run(first.queue, step.now, first.claim, first.seq, last.seq)
  const ended = changes === run.length ? run : stillHeld(step, run, first.claim)
  step.db
    .sql('delete from running where claim = ? and seq between ? and ?')
    .run(first.claim, first.seq, last.seq)
  step.count(first.queue, STATE.running, -ended.length)
  step.count(first.queue, STATE.done, ended.length)
  for (const { id, receipt, result } of ended) {
    if (result !== undefined)
      step.db.sql('update ended set result = ? where seq = ?').run(result, receipt.seq)
    step.events.push(['done', id, receipt.queue, receipt.task, receipt.attempt])
    if (receipt.key === undefined) continue
    step.leaveLine(receipt.queue, receipt.key, receipt.seq, receipt.fence)
    step.lineUp(receipt.queue, receipt.key)
  }
  return ended
}

function stillHeld(step: Step, run: readonly Done[], claim: number): readonly Done[] {
  const isHeld = step.db.sql('select 1 from running where seq = ? and claim = ?')
  return run.filter(({ receipt }) => isHeld.get(receipt.seq, claim) !== undefined)
}

export function renew(step: Step, beats: readonly Beat[], leaseMs: number): LeaseState[] {
  const leaseUntil = step.now + leaseMs
  return beats.map(({ claim, progress, log }) => {
    const row = held(step, claim)
    if (row === undefined) return 'lost'
    step.db.sql('update running set until = ? where seq = ?').run(leaseUntil, row.seq)
    step.dueAt = Math.min(step.dueAt, leaseUntil)
    if (progress !== undefined) {
      step.note(row.seq, 'progress', progress)
      step.events.push(['progress', row.id, row.queue, row.task, row.attempt, progress])
    }
    if (log !== undefined && log.length > 0) {
      const before = row.log === null ? [] : (JSON.parse(row.log) as LogLine[])
      step.note(row.seq, 'log', JSON.stringify([...before, ...log].slice(-MAX_LOG_LINES)))
    }
    return row.cancelling === 1 ? 'cancelled' : 'held'
  })
}

function held(step: Step, claim: Settlement['claim']): Row | undefined {
  return step.db
    .sql('select * from records where id = ? and fence = ? and state = 2')
    .get(claim.job.id, claim.fence) as Row | undefined
}

function receiptOf({ receipt, fence }: Settlement['claim']): Receipt | undefined {
  if (typeof receipt !== 'object' || receipt === null || !('claim' in receipt)) return undefined
  return (receipt as Receipt).fence === fence ? (receipt as Receipt) : undefined
}
