import type { JobRecord } from '../../job/job.ts'
import { isInLine } from '../../job/state.ts'
import { Heap } from './heap.ts'

/** A job and what the store notes about it. */
export interface Entry {
  record: JobRecord
  /** Order of acceptance. */
  readonly seq: number
  rank: number
  /** Queued and first of its key: could be claimed now. */
  open: boolean
  isInReady: boolean
  /** The earliest instant at which the store looks at it. */
  alarmAt: number
  /** When a message of its is due to be published. */
  owedAt: number | undefined
}

export const bySeq = (a: Entry, b: Entry): boolean => a.seq < b.seq

/** What is urgent first, then what was accepted first. */
export const byRank = (a: Entry, b: Entry): boolean => a.rank < b.rank || (a.rank === b.rank && a.seq < b.seq)

/** The jobs of one key: one at a time, who has begun before the others, then in the order of acceptance. */
export class Line {
  readonly #begun = new Set<Entry>()
  readonly #fresh = new Heap<Entry>(bySeq)
  readonly #waiting = new Set<Entry>()
  #open: Entry | undefined

  /** Looks at an entry that has changed; answers which entry may be claimed now, if any. */
  update(entry: Entry): Entry | undefined {
    const inLine = isInLine(entry.record)
    const begun = entry.record.fence > 0
    this.#note(this.#begun, entry, inLine && begun)
    if (inLine && !begun && !this.#waiting.has(entry)) this.#fresh.push(entry)
    this.#note(this.#waiting, entry, inLine && !begun)
    const first = this.#first()
    if (this.#open !== undefined && this.#open !== first) this.#open.open = false
    this.#open = first?.record.state === 'queued' ? first : undefined
    return this.#open
  }

  get isEmpty(): boolean {
    return this.#begun.size === 0 && this.#waiting.size === 0
  }

  #first(): Entry | undefined {
    let first: Entry | undefined
    for (const entry of this.#begun) {
      if (entry.record.state === 'running') return entry
      if (first === undefined || entry.seq < first.seq) first = entry
    }
    if (first !== undefined) return first
    while (!this.#waiting.has(this.#fresh.peek() as Entry) && this.#fresh.peek() !== undefined)
      this.#fresh.pop()
    return this.#fresh.peek()
  }

  #note(set: Set<Entry>, entry: Entry, belongs: boolean): void {
    if (belongs) set.add(entry)
    else set.delete(entry)
  }
}
