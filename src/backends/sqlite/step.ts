import type { Clock } from '../../clock.ts'
import type { JobRecord } from '../../job/job.ts'
import type { Move } from '../../job/state.ts'
import { move, rankAfter } from '../../job/state.ts'
import type { JobEventType } from '../../ledger.ts'
import { eventOf } from '../events.ts'
import type { Connection, Durability } from './connection.ts'
import type { Row } from './rows.ts'
import { recordOf, STATE } from './rows.ts'

/** One event in the body of an events row: type, job, queue, task, attempt and, where there is some, data. */
export type StoredEvent = readonly [
  type: JobEventType,
  id: string,
  queue: string,
  task: string,
  attempt: number,
  data?: string,
]

/** What one transaction adds up, to be written once at its end, and whom to wake after it. */
export class Step {
  readonly db: Connection
  readonly now: number
  readonly events: StoredEvent[] = []
  /** Queues in which a job can start now. */
  readonly startable: Set<string> = new Set()
  /** The earliest instant that this step put into the file. */
  dueAt: number = Number.POSITIVE_INFINITY
  readonly #counts = new Map<string, Map<number, number>>()
  readonly #publishes: boolean

  constructor(db: Connection, now: number) {
    this.db = db
    this.now = now
    this.#publishes = db.sql(`select 1 from settings where name = 'outbox'`).get() !== undefined
  }

  /** When a job that can start now is to be published: only where a message broker is joined. */
  get publishAt(): number | null {
    return this.#publishes ? this.now : null
  }

  count(queue: string, state: number, by: number): void {
    let states = this.#counts.get(queue)
    if (states === undefined) {
      states = new Map()
      this.#counts.set(queue, states)
    }
    states.set(state, (states.get(state) ?? 0) + by)
  }

  /** Moves one job, by the one function that decides, and writes it. False when the move is not legal. */
  apply(row: Row, how: Move): boolean {
    const before = recordOf(row)
    const after = move(before, how, this.now)
    if (after === undefined) return false
    this.#write(row.seq, after, rankAfter(how, after, this.now))
    this.count(row.queue, row.state, -1)
    this.count(row.queue, STATE[after.state], 1)
    this.events.push([eventOf(how, before, after), row.id, row.queue, row.task, after.attempt])
    const deadline = after.state === 'queued' || after.state === 'scheduled' ? after.deadline : undefined
    this.dueAt = Math.min(this.dueAt, after.dueAt ?? this.dueAt, deadline ?? this.dueAt)
    if (row.key !== null) this.lineUp(row.queue, row.key)
    else if (after.state === 'queued') this.startable.add(row.queue)
    return true
  }

  #write(seq: number, job: JobRecord, place: number | undefined): void {
    const open = job.state === 'queued' && job.key === undefined
    this.db
      .sql(
        `update jobs set state = ?, rank = coalesce(?, rank), blocked = ?, due = ?, publish = ?, published = null, attempt = ?, fence = ?, worker = ?,
         started = ?, ended = ?, cancelling = ?, result = ?, faults = ? where seq = ?`,
      )
      .run(
        STATE[job.state],
        place ?? null,
        job.key === undefined || job.state !== 'queued' ? 0 : 1,
        job.dueAt ?? null,
        open ? this.publishAt : null,
        job.attempt,
        job.fence,
        job.worker ?? null,
        job.startedAt ?? null,
        job.endedAt ?? null,
        job.cancelling === true ? 1 : 0,
        job.result ?? null,
        job.faults.length === 0 ? null : JSON.stringify(job.faults),
        seq,
      )
  }

  /** Opens the line of a key to its first job: who runs, else who has begun before, else who was accepted first. */
  lineUp(queue: string, key: string): void {
    const held = this.db
      .sql(
        `select seq, state from jobs where queue = ? and key = ?
         and key is not null and (state = 2 or (state = 1 and blocked = 0))`,
      )
      .all(queue, key) as { seq: number; state: number }[]
    const running = held.some(({ state }) => state === STATE.running)
    const first = running
      ? undefined
      : (this.db
          .sql(
            `select seq, state, blocked from jobs where queue = ? and key = ?
             and key is not null and state < 3 and (state <> 0 or fence > 0) order by fence = 0, seq limit 1`,
          )
          .get(queue, key) as { seq: number; state: number; blocked: number } | undefined)
    for (const { seq, state } of held) {
      if (state === STATE.queued && seq !== first?.seq)
        this.db.sql('update jobs set blocked = 1, publish = null where seq = ?').run(seq)
    }
    if (first?.state !== STATE.queued) return
    if (first.blocked === 1)
      this.db
        .sql('update jobs set blocked = 0, publish = ?, published = null where seq = ?')
        .run(this.publishAt, first.seq)
    this.startable.add(queue)
  }

  /** Writes what was added up. The last thing a transaction does. */
  flush(): void {
    for (const [queue, states] of this.#counts) {
      for (const [state, by] of states) {
        if (by === 0) continue
        this.db
          .sql('insert into counts values (?, ?, ?) on conflict do update set n = n + excluded.n')
          .run(queue, state, by)
      }
    }
    if (this.events.length === 0) return
    const { last } = (this.db.sql('select last from events order by first desc limit 1').get() ?? {
      last: 0,
    }) as { last: number }
    this.db
      .sql('insert into events values (?, ?, ?, ?)')
      .run(last + 1, last + this.events.length, this.now, JSON.stringify(this.events))
  }
}

/** Runs one step in one transaction and answers it with what it found. */
export async function inStep<T>(
  db: Connection,
  clock: Clock,
  durability: Durability,
  work: (step: Step) => T,
): Promise<{ value: T; step: Step }> {
  return db.write(durability, () => {
    const step = new Step(db, clock.now())
    const value = work(step)
    step.flush()
    return { value, step }
  })
}
