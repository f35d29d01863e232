import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs'
import { join } from 'node:path'

/** `accepted`: enqueue() had resolved. `ran`: the handler had its effect. `done`: the worker was told that the end is stored. */
export type Noted = 'accepted' | 'ran' | 'done'

/** Two numbers of 32 bits: the process that made the job, and which of its jobs it is. */
const RECORD_BYTES = 8
const MOST_AT_ONCE = 1024

/**
 * What one process notes outside the system, of millions of jobs: a file that only it appends to. All that was noted in one
 * turn of the event loop goes out in one write before the turn ends; a kill after it cannot take it back.
 */
export class Tally {
  readonly #file: number
  readonly #records = Buffer.alloc(RECORD_BYTES * MOST_AT_ONCE)
  #used = 0
  #writing: Promise<void> | undefined

  constructor(folder: string, noted: Noted, process: number) {
    this.#file = openSync(join(folder, `${noted}-${process}`), 'a')
  }

  /** Resolves when it is on the file. */
  note(maker: number, nth: number): Promise<void> {
    if (this.#used === this.#records.length) this.#write()
    this.#records.writeUInt32LE(maker, this.#used)
    this.#records.writeUInt32LE(nth, this.#used + 4)
    this.#used += RECORD_BYTES
    this.#writing ??= Promise.resolve().then(() => {
      this.#writing = undefined
      this.#write()
    })
    return this.#writing
  }

  #write(): void {
    const bytes = this.#used
    this.#used = 0
    if (writeSync(this.#file, this.#records, 0, bytes) < bytes) throw new Error('the disk is full')
  }
}

/** How many were noted by all processes together. */
export function noted(folder: string, kind: Noted): number {
  return filesOf(folder, kind).reduce(
    (sum, { path }) => sum + Math.floor(statSync(path).size / RECORD_BYTES),
    0,
  )
}

function filesOf(folder: string, kind: Noted): { path: string; process: number }[] {
  return readdirSync(folder)
    .filter((name) => name.startsWith(`${kind}-`))
    .map((name) => ({ path: join(folder, name), process: Number(name.slice(kind.length + 1)) }))
}

function eachOf(
  folder: string,
  kind: Noted,
  visit: (maker: number, nth: number, process: number) => void,
): void {
  const piece = Buffer.alloc(RECORD_BYTES * 65_536)
  for (const { path, process } of filesOf(folder, kind)) {
    const file = openSync(path, 'r')
    for (let from = 0; ; ) {
      const read = readSync(file, piece, 0, piece.length, from)
      const whole = read - (read % RECORD_BYTES)
      for (let at = 0; at < whole; at += RECORD_BYTES)
        visit(piece.readUInt32LE(at), piece.readUInt32LE(at + 4), process)
      from += whole
      if (whole === 0) break
    }
    closeSync(file)
  }
}

export interface Reckoning {
  /** Jobs whose enqueue() had resolved. */
  readonly accepted: number
  /** Jobs that a worker was told are done. */
  readonly done: number
  /** Accepted; no worker was told of its end, and no process that was killed had run it. */
  readonly lost: number
  /** Workers were told twice that it is done. */
  readonly finishedTwice: number
  /** At least once is the promise. */
  readonly ranAgain: number
  /** Ran in a process that was killed before it noted whether the end is stored, and nowhere else. */
  readonly endUnnoted: number
  /** Ran, while its producer was killed before it noted the answer. */
  readonly answerUnnoted: number
  /** Some of the lost and of those finished twice. */
  readonly examples: readonly string[]
}

const ACCEPTED = 1
const RAN = 2
const RAN_AGAIN = 4
const RAN_IN_KILLED = 8
const DONE = 16
const DONE_AGAIN = 32

/** Asks of every job of the whole run what became of it. @param killed the processes that were killed */
export function reckon(folder: string, killed: ReadonlySet<number>): Reckoning {
  const marks = new Marks()
  eachOf(folder, 'accepted', (maker, nth) => marks.add(maker, nth, ACCEPTED))
  eachOf(folder, 'ran', (maker, nth, process) => {
    marks.add(maker, nth, RAN, RAN_AGAIN)
    if (killed.has(process)) marks.add(maker, nth, RAN_IN_KILLED)
  })
  eachOf(folder, 'done', (maker, nth) => marks.add(maker, nth, DONE, DONE_AGAIN))

  const sum = {
    accepted: 0,
    done: 0,
    lost: 0,
    finishedTwice: 0,
    ranAgain: 0,
    endUnnoted: 0,
    answerUnnoted: 0,
  }
  const examples: string[] = []
  marks.each((mark, maker, nth) => {
    const has = (bit: number): boolean => (mark & bit) !== 0
    const isLost = has(ACCEPTED) && !has(DONE) && !has(RAN_IN_KILLED)
    if (has(ACCEPTED)) sum.accepted++
    if (has(DONE)) sum.done++
    if (isLost) sum.lost++
    if (has(DONE_AGAIN)) sum.finishedTwice++
    if (has(RAN_AGAIN)) sum.ranAgain++
    if (has(RAN_IN_KILLED) && !has(DONE)) sum.endUnnoted++
    if (has(RAN) && !has(ACCEPTED)) sum.answerUnnoted++
    if ((isLost || has(DONE_AGAIN)) && examples.length < 10) examples.push(idOf(maker, nth))
  })
  return { ...sum, examples }
}

/** A byte a job. */
class Marks {
  readonly #byMaker = new Map<number, Uint8Array>()

  /** Sets a bit, and `again` when it was set already. */
  add(maker: number, nth: number, bit: number, again = 0): void {
    let marks = this.#byMaker.get(maker) ?? new Uint8Array(65_536)
    if (nth >= marks.length) {
      const longer = new Uint8Array(2 ** Math.ceil(Math.log2(nth + 1)))
      longer.set(marks)
      marks = longer
    }
    this.#byMaker.set(maker, marks)
    const before = marks[nth] ?? 0
    marks[nth] = before | bit | ((before & bit) !== 0 ? again : 0)
  }

  /** The jobs that have a mark. */
  each(visit: (mark: number, maker: number, nth: number) => void): void {
    for (const [maker, marks] of this.#byMaker)
      for (let nth = 0; nth < marks.length; nth++) {
        const mark = marks[nth]
        if (mark !== undefined && mark !== 0) visit(mark, maker, nth)
      }
  }
}

/** The id of a job: as long whatever its numbers are, and in order. */
export function idOf(maker: number, nth: number): string {
  return `${String(maker).padStart(5, '0')}-${String(nth).padStart(10, '0')}`
}

export function numbersOf(id: string): [maker: number, nth: number] {
  const at = id.indexOf('-')
  return [Number(id.slice(0, at)), Number(id.slice(at + 1))]
}
