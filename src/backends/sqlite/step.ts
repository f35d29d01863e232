import type { SQLInputValue } from 'node:sqlite'
import type { Amount } from '../../broker.ts'
import { followUps } from '../../job/follow-up.ts'
import type { Job, JobRecord } from '../../job/job.ts'
import { isEnded, isWaiting } from '../../job/job.ts'
import type { Move } from '../../job/state.ts'
import { isFailure, isInLine, move, rankAfter } from '../../job/state.ts'
import type { JobEventType } from '../../ledger.ts'
import { eventOf } from '../events.ts'
import type { Connection } from './connection.ts'
import { typesMask } from './events.ts'
import { Lines } from './line.ts'
import { hasOutbox } from './outbox.ts'
import type { Row } from './rows.ts'
import { COUNT, recordOf, STATE, WAS } from './rows.ts'
import { takeOneOut } from './spans.ts'

/**
 * Events in the body of an events row, alike but for the job: type, queue, task, attempt, the ids of the jobs and, where
 * there is some, data.
 */
export type StoredEvents = readonly [
  type: JobEventType,
  queue: string,
  task: string,
  attempt: number,
  ids: string[],
  data?: string,
]

/** What of a row says where its job is put. */
type Standing = Pick<Row, 'seq' | 'queue' | 'claim' | 'lease' | 'rank'>

/** What one transaction adds up, to be written once at its end, and whom to wake after it. */
export class Step {
  readonly db: Connection
  readonly now: number
  readonly lines: Lines
  /** Queues in which a job can start now. */
  readonly startable: Set<string> = new Set()
  /** What was accepted in this very step, by number: who claims here need not read it back. */
  readonly accepted: Map<number, Job> = new Map()
  /** The earliest instant that this step put into the file. */
  dueAt: number = Number.POSITIVE_INFINITY
  readonly #following: { readonly seq: number; readonly job: Job }[] = []
  readonly #counts = new Map<string, Map<number, number>>()
  #publishes: boolean
  readonly #events: StoredEvents[] = []
  #eventCount = 0

  constructor(db: Connection, now: number) {
    this.db = db
    this.now = now
    this.lines = new Lines(this)
    this.#publishes = hasOutbox(db)
  }

  /** From now on, in this step and after it, what is to be published is kept track of. */
  publishes(): void {
    this.#publishes = true
  }

  /** Where a message broker is joined, each ready job has a row of its own: its message is marked there. */
  get spans(): boolean {
    return !this.#publishes
  }

  /** When a job that can start now is to be published: at once, and only where a message broker is joined. */
  get publishAt(): number | null {
    return this.#publishes ? 0 : null
  }

  /** Adds to a count of a queue: of a state, or another of `COUNT`. */
  count(queue: string, what: number, by: number): void {
    let counts = this.#counts.get(queue)
    if (counts === undefined) {
      counts = new Map()
      this.#counts.set(queue, counts)
    }
    counts.set(what, (counts.get(what) ?? 0) + by)
    const was = by < 0 ? WAS.get(what) : undefined
    if (was !== undefined) this.count(queue, was, -by)
  }

  /** What of a queue is scheduled or queued. */
  waitingIn(queue: string): Amount {
    const [jobs, bytes] = this.db
      .list(
        `select total(iif(state < 2, n, 0)), total(iif(state = ${COUNT.bytes}, n, 0)) from counts where queue = ?`,
      )
      .get(queue) as unknown as [jobs: number, bytes: number]
    const own = (state: number): number => this.#counts.get(queue)?.get(state) ?? 0
    return { jobs: jobs + own(STATE.scheduled) + own(STATE.queued), bytes: bytes + own(COUNT.bytes) }
  }

  /** A number that no claim had before. */
  nextClaim(): number {
    const { value } = this.db
      .sql(`update settings set value = value + 1 where name = 'claims' returning value`)
      .get() as { value: number }
    return value
  }

  /** The whole records of the jobs whose numbers a query finds, in its order. */
  records(query: string, ...values: SQLInputValue[]): Row[] {
    const found = this.db.sql(query).all(...values) as { seq: number }[]
    const one = this.db.sql('select * from records where seq = ?')
    return found.map(({ seq }) => one.get(seq) as unknown as Row)
  }

  /** Moves one job, by the one function that decides, and writes it. False when the move is not legal. */
  apply(row: Row, how: Move): boolean {
    const before = recordOf(row)
    const after = move(before, how, this.now)
    if (after === undefined) return false
    this.#leave(row, before)
    this.#enter(row, after, rankAfter(how, after, this.now) ?? row.rank)
    if (after.faults !== before.faults) this.note(row.seq, 'faults', JSON.stringify(after.faults))
    this.#countState(before, -1)
    this.#countState(after, 1)
    if (isFailure(before, after)) this.count(row.queue, COUNT.failed, 1)
    this.tell(eventOf(how, before, after), row, after.attempt)
    this.follow(row.seq, after)
    if (row.key !== null) this.lines.lineUp(row.queue, row.key)
    return true
  }

  /** Takes a job from where it stands, for good: nothing is told, and nothing follows. */
  letGo(row: Row): void {
    const before = recordOf(row)
    this.#leave(row, before)
    this.#countState(before, -1)
    this.count(row.queue, COUNT.forgotten, 1)
    if (row.key !== null) this.lines.lineUp(row.queue, row.key)
  }

  /** Puts a job that comes with a past where it stood; `rank` is in its row already. */
  settleIn(seq: number, record: JobRecord, rank: number): void {
    const { queue, key, faults, progress, log } = record
    this.#enter({ seq, queue, rank, claim: null, lease: null }, record, rank)
    if (faults.length > 0) this.note(seq, 'faults', JSON.stringify(faults))
    if (progress !== undefined) this.note(seq, 'progress', progress)
    if (log.length > 0) this.note(seq, 'log', JSON.stringify(log))
    this.#countState(record, 1)
    this.tell('accepted', record, record.attempt)
    if (key !== undefined) this.lines.lineUp(queue, key)
  }

  /** Has the follow-ups of an ended job accepted with its end. */
  follow(seq: number, after: JobRecord): void {
    for (const job of followUps(after, this.now)) this.#following.push({ seq, job })
  }

  /** What follows the ends of this step, in the order in which the ended jobs were accepted. */
  get followUps(): Job[] {
    return this.#following.sort((a, b) => a.seq - b.seq).map(({ job }) => job)
  }

  #countState({ queue, state, payload }: JobRecord, by: number): void {
    this.count(queue, STATE[state], by)
    if (isWaiting(state)) this.count(queue, COUNT.bytes, by * Buffer.byteLength(payload))
  }

  #leave({ seq, queue, state, blocked }: Row, before: JobRecord): void {
    if (isEnded(before.state)) takeOneOut(this.db, 'ended', seq)
    else if (state === STATE.running) takeOneOut(this.db, 'running', seq)
    else if (state === STATE.scheduled || blocked === 1)
      this.db.sql('delete from waiting where seq = ?').run(seq)
    else takeOneOut(this.db, 'ready', seq)
    if (isInLine(before) && before.key !== undefined) this.lines.leave(queue, before.key, seq, before.fence)
    if (before.deadline !== undefined) this.dropDeadline(seq, before.deadline)
  }

  #enter({ seq, queue, claim, lease, rank: oldRank }: Standing, after: JobRecord, rank: number): void {
    const { state, attempt, fence, startedAt: started = null, dueAt = null } = after
    const open = state === 'queued' && after.key === undefined
    if (rank !== oldRank) this.db.sql('update jobs set rank = ? where seq = ?').run(rank, seq)
    if (isEnded(state)) {
      this.db
        .sql('insert into ended values (?, ?, ?, ?, ?, ?, ?, ?)')
        .run(seq, seq, queue, STATE[state], after.endedAt ?? this.now, attempt, fence, started)
      if (after.result !== undefined) this.note(seq, 'result', after.result)
    } else if (state === 'running') {
      this.db
        .sql('insert into running values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)')
        .run(
          seq,
          seq,
          queue,
          claim,
          dueAt,
          lease,
          after.worker ?? '',
          after.cancelling === true ? 1 : 0,
          attempt,
          fence,
          started,
        )
    } else if (open) {
      this.db
        .sql('insert into ready values (?, ?, ?, ?, ?, ?, ?, ?, null)')
        .run(seq, seq, queue, rank, attempt, fence, started, this.publishAt)
      this.startable.add(queue)
    } else {
      this.db
        .sql('insert into waiting values (?, ?, ?, ?, ?, ?)')
        .run(seq, STATE[state], dueAt, attempt, fence, started)
    }
    if (isInLine(after) && after.key !== undefined)
      this.lines.join(queue, after.key, seq, fence, state === 'running')
    if (after.deadline !== undefined && isWaiting(state)) this.addDeadline(seq, after.deadline)
    this.dueAt = Math.min(this.dueAt, dueAt ?? this.dueAt)
  }

  note(seq: number, column: 'faults' | 'progress' | 'log' | 'result', text: string): void {
    this.db
      .sql(
        `insert into notes (seq, ${column}) values (?, ?) on conflict (seq) do update set ${column} = excluded.${column}`,
      )
      .run(seq, text)
  }

  addDeadline(seq: number, deadline: number): void {
    this.db.sql('insert into deadlines values (?, ?)').run(deadline, seq)
    this.dueAt = Math.min(this.dueAt, deadline)
  }

  dropDeadline(seq: number, deadline: number): void {
    this.db.sql('delete from deadlines where deadline = ? and seq = ?').run(deadline, seq)
  }

  /** Tells that something happened to a job. */
  tell(
    type: JobEventType,
    { id, queue, task }: { readonly id: string; readonly queue: string; readonly task: string },
    attempt: number,
    data?: string,
  ): void {
    this.#eventCount++
    const last = this.#events.at(-1)
    const isAlike =
      data === undefined &&
      last !== undefined &&
      last[5] === undefined &&
      last[0] === type &&
      last[1] === queue &&
      last[2] === task &&
      last[3] === attempt
    if (isAlike) last[4].push(id)
    else if (data === undefined) this.#events.push([type, queue, task, attempt, [id]])
    else this.#events.push([type, queue, task, attempt, [id], data])
  }

  get eventTypes(): Set<JobEventType> {
    return new Set(this.#events.map(([type]) => type))
  }

  /** Writes what was added up. The last thing a transaction does. */
  flush(): void {
    for (const [queue, counts] of this.#counts) {
      for (const [what, by] of counts) {
        if (by === 0) continue
        this.db
          .sql('insert into counts values (?, ?, ?) on conflict do update set n = n + excluded.n')
          .run(queue, what, by)
      }
    }
    if (this.#eventCount === 0) return
    const { last } = (this.db.sql('select last from events order by first desc limit 1').get() ?? {
      last: 0,
    }) as { last: number }
    this.db
      .sql('insert into events values (?, ?, ?, ?, ?)')
      .run(
        last + 1,
        last + this.#eventCount,
        this.now,
        typesMask(this.eventTypes),
        JSON.stringify(this.#events),
      )
  }
}
