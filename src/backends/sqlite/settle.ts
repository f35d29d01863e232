import type { Beat, LeaseState } from '../../broker.ts'
import type { Job, JobRecord, LogLine } from '../../job/job.ts'
import { MAX_LOG_LINES } from '../../job/job.ts'
import type { Settlement } from '../../job/state.ts'
import type { Receipt } from './claim.ts'
import type { Row } from './rows.ts'
import { jobOf, STATE } from './rows.ts'
import type { Span } from './spans.ts'
import { pieces, takeOut } from './spans.ts'
import type { Step } from './step.ts'

/** A part of a call, by its place in it, about a job whose receipt is known. */
interface Entry<Part> {
  readonly index: number
  readonly receipt: Receipt
  readonly part: Part
}

type Done = Extract<Settlement, { readonly type: 'done' }>

interface Running {
  readonly queue: string
  readonly claim: number
  readonly worker: string
  readonly cancelling: number
  readonly attempt: number
  readonly fence: number
  readonly started: number
}

/** Ends claims; false where the fence has moved on. */
export function settle(step: Step, settlements: readonly Settlement[]): boolean[] {
  const answers: boolean[] = new Array(settlements.length).fill(false)
  const done: Entry<Done>[] = []
  settlements.forEach((settlement, index) => {
    const receipt = receiptOf(settlement.claim)
    if (settlement.type === 'done' && receipt !== undefined) {
      done.push({ index, receipt, part: settlement })
      return
    }
    const row = held(step, settlement.claim)
    answers[index] = row !== undefined && step.apply(row, settlement)
  })
  for (const { entries, span } of heldPieces(step, done)) {
    if (span === undefined) continue
    finish(step, span, entries)
    for (const { index } of entries) answers[index] = true
  }
  return answers
}

interface Held<Part> {
  /** Jobs that follow one another. */
  readonly entries: readonly Entry<Part>[]
  /** The span that holds them all for their claim; undefined where the claim was lost. */
  readonly span: (Span & Running) | undefined
}

/** Puts what was claimed together together again, so that it costs one step for each piece that is still whole. */
function* heldPieces<Part>(step: Step, entries: Entry<Part>[]): Generator<Held<Part>> {
  entries.sort(({ receipt: a }, { receipt: b }) => a.claim - b.claim || a.seq - b.seq)
  for (let from = 0; from < entries.length; ) {
    const to = endOfRun(entries, from)
    const run = entries.slice(from, to)
    const { first, last } = spanned(run)
    const claim = run[0]?.receipt.claim
    for (const piece of pieces<Running>(step.db, 'running', { first, last })) {
      const own = run.slice(piece.first - first, piece.last - first + 1)
      yield { entries: own, span: piece.span?.claim === claim ? piece.span : undefined }
    }
    from = to
  }
}

/** Jobs of one claim whose numbers follow one another. */
function endOfRun(entries: readonly Entry<unknown>[], from: number): number {
  let to = from + 1
  for (; to < entries.length; to++) {
    const [before, after] = [entries[to - 1]?.receipt, entries[to]?.receipt]
    if (before?.claim !== after?.claim || (before?.seq ?? 0) + 1 !== after?.seq) break
  }
  return to
}

function spanned(run: readonly Entry<unknown>[]): Span {
  return { first: run[0]?.receipt.seq ?? 0, last: run.at(-1)?.receipt.seq ?? 0 }
}

/** The `done` move of the state machine, for jobs of one span. */
function finish(step: Step, span: Span & Running, entries: readonly Entry<Done>[]): void {
  const { queue, attempt, fence, started } = span
  const part = spanned(entries)
  takeOut(step.db, 'running', span, part)
  step.db
    .sql('insert into ended values (?, ?, ?, 3, ?, ?, ?, ?)')
    .run(part.first, part.last, queue, step.now, attempt, fence, started)
  step.count(queue, STATE.running, -entries.length)
  step.count(queue, STATE.done, entries.length)
  for (const { receipt, part } of entries) {
    const { seq, job } = receipt
    if (part.result !== undefined) step.note(seq, 'result', part.result)
    step.tell('done', job, attempt)
    if (job.onDone !== undefined) step.follow(seq, doneRecord(job, span, part.result, step.now))
    if (job.key === undefined) continue
    step.lines.leave(queue, job.key, seq, fence)
    step.lines.lineUp(queue, job.key)
  }
}

function doneRecord(
  job: Job,
  { attempt, fence }: Running,
  result: string | undefined,
  now: number,
): JobRecord {
  const end = { state: 'done', endedAt: now, attempt, fence, faults: [], log: [] } as const
  return { ...job, ...end, ...(result === undefined ? {} : { result }) }
}

/** Keeps claims; those of one span cost one step. */
export function renew(step: Step, beats: readonly Beat[], leaseMs: number): LeaseState[] {
  const answers: LeaseState[] = new Array(beats.length).fill('lost')
  const entries: Entry<Beat>[] = []
  beats.forEach((beat, index) => {
    const receipt = receiptOf(beat.claim) ?? receiptFor(step, beat.claim)
    if (receipt !== undefined) entries.push({ index, receipt, part: beat })
  })
  for (const { entries: own, span } of heldPieces(step, entries)) {
    if (span === undefined) continue
    extendLease(step, span, spanned(own), leaseMs)
    for (const { index, receipt, part } of own) {
      report(step, receipt, part)
      answers[index] = span.cancelling === 1 ? 'cancelled' : 'held'
    }
  }
  return answers
}

function extendLease(step: Step, span: Span & Running, part: Span, leaseMs: number): void {
  const leaseUntil = step.now + leaseMs
  const { queue, claim, worker, cancelling, attempt, fence, started } = span
  takeOut(step.db, 'running', span, part)
  step.db
    .sql('insert into running values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
    .run(
      part.first,
      part.last,
      queue,
      claim,
      leaseUntil,
      leaseMs,
      worker,
      cancelling,
      attempt,
      fence,
      started,
    )
  step.dueAt = Math.min(step.dueAt, leaseUntil)
}

function report(step: Step, { seq, job }: Receipt, { claim, progress, log }: Beat): void {
  if (progress !== undefined) {
    step.note(seq, 'progress', progress)
    step.tell('progress', job, claim.attempt, progress)
  }
  if (log !== undefined && log.length > 0) {
    const { log: stored } = (step.db.sql('select log from notes where seq = ?').get(seq) ?? {}) as {
      log?: string | null
    }
    const before = typeof stored === 'string' ? (JSON.parse(stored) as LogLine[]) : []
    step.note(seq, 'log', JSON.stringify([...before, ...log].slice(-MAX_LOG_LINES)))
  }
}

function held(step: Step, claim: Settlement['claim']): Row | undefined {
  return step.db
    .sql('select * from records where id = ? and fence = ? and state = 2')
    .get(claim.job.id, claim.fence) as Row | undefined
}

/** A claim that went through hands that keep no receipts is looked up. */
function receiptFor(step: Step, claim: Settlement['claim']): Receipt | undefined {
  const row = held(step, claim)
  return row === undefined || row.claim === null
    ? undefined
    : { seq: row.seq, claim: row.claim, fence: row.fence, job: jobOf(row) }
}

function receiptOf({ receipt, fence }: Settlement['claim']): Receipt | undefined {
  if (typeof receipt !== 'object' || receipt === null || !('claim' in receipt)) return undefined
  return (receipt as Receipt).fence === fence ? (receipt as Receipt) : undefined
}
