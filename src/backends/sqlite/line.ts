import { spanOf, takeOneOut } from './spans.ts'
import type { Step } from './step.ts'

/** The lines of keys: jobs of one key run one at a time, who has begun before first, then in the order of acceptance. */
export class Lines {
  readonly #step: Step

  constructor(step: Step) {
    this.#step = step
  }

  isTaken(queue: string, key: string): boolean {
    return (
      this.#step.db.sql('select 1 from line where queue = ? and key = ? limit 1').get(queue, key) !==
      undefined
    )
  }

  /** `held`: it is running, or may be claimed. Who has begun before stands before the fresh ones. */
  join(queue: string, key: string, seq: number, fence: number, held: boolean): void {
    this.#step.db
      .sql('insert into line values (?, ?, ?, ?, ?)')
      .run(queue, key, fence === 0 ? 1 : 0, seq, held ? 1 : 0)
  }

  leave(queue: string, key: string, seq: number, fence: number): void {
    this.#step.db
      .sql('delete from line where queue = ? and key = ? and fresh = ? and seq = ?')
      .run(queue, key, fence === 0 ? 1 : 0, seq)
  }

  /** The first of the line is claimed. */
  start(queue: string, key: string, seq: number, fence: number): void {
    this.leave(queue, key, seq, fence)
    this.join(queue, key, seq, fence + 1, true)
  }

  /** Opens the line of a key to its first job: who runs, else who has begun before, else who was accepted first. */
  lineUp(queue: string, key: string): void {
    const holder = this.#step.db
      .sql('select seq from line where queue = ? and key = ? and held = 1')
      .get(queue, key) as { seq: number } | undefined
    if (holder !== undefined && spanOf(this.#step.db, 'running', holder.seq) !== undefined) return
    const first = this.#step.db
      .sql('select seq from line where queue = ? and key = ? order by fresh, seq limit 1')
      .get(queue, key) as { seq: number } | undefined
    if (holder !== undefined && holder.seq !== first?.seq) this.#shut(queue, key, holder.seq)
    if (first !== undefined && first.seq !== holder?.seq) this.#open(queue, key, first.seq)
    if (first !== undefined) this.#step.startable.add(queue)
  }

  #shut(queue: string, key: string, seq: number): void {
    const span = spanOf<{ attempt: number; fence: number; started: number | null }>(
      this.#step.db,
      'ready',
      seq,
    )
    if (span === undefined) return
    takeOneOut(this.#step.db, 'ready', seq)
    this.#step.db
      .sql('insert into waiting values (?, 1, null, ?, ?, ?)')
      .run(seq, span.attempt, span.fence, span.started)
    this.#hold(queue, key, seq, 0)
  }

  /** A first one that is scheduled keeps the line shut until it is due. */
  #open(queue: string, key: string, seq: number): void {
    const { changes } = this.#step.db
      .sql(
        `insert into ready select seq, seq, queue, rank, attempt, fence, started, ?, null from waiting join jobs using (seq)
         where seq = ? and waiting.state = 1`,
      )
      .run(this.#step.publishAt, seq)
    if (changes === 0) return
    this.#step.db.sql('delete from waiting where seq = ?').run(seq)
    this.#hold(queue, key, seq, 1)
  }

  #hold(queue: string, key: string, seq: number, held: number): void {
    this.#step.db
      .sql('update line set held = ? where queue = ? and key = ? and seq = ?')
      .run(held, queue, key, seq)
  }
}
