import type { SQLInputValue } from 'node:sqlite'
import type { Job } from '../../job/job.ts'
import { arrivalOf } from '../../job/past.ts'
import { rank } from '../../job/priority.ts'
import type { Step } from './step.ts'

export interface Remembered {
  /** Its number in the order of acceptance. */
  readonly seq: number
  /** False where its id or idempotency key was remembered already: the number is nobody's. */
  readonly isNew: boolean
}

/** Remembers the jobs that are not remembered yet. */
export function remember(step: Step, jobs: readonly Job[]): Remembered[] {
  const { seq: last } = (step.db.sql(`select seq from sqlite_sequence where name = 'jobs'`).get() ?? {
    seq: 0,
  }) as { seq: number }
  let taken = 0
  for (let from = 0; from < jobs.length; ) {
    const alike = jobs.slice(from, endOfAlike(jobs, from))
    taken += isPlain(alike[0])
      ? rememberPlain(step, last + 1 + from, alike)
      : rememberEach(step, last + 1 + from, alike)
    from += alike.length
  }
  const isTaken = step.db.sql('select 1 from jobs where seq = ?')
  return jobs.map((_, index) => {
    const seq = last + 1 + index
    return { seq, isNew: taken === jobs.length || isTaken.get(seq) !== undefined }
  })
}

/** Jobs that differ in id, payload, instant and trace alone. */
function endOfAlike(jobs: readonly Job[], from: number): number {
  const first = jobs[from]
  let to = from + 1
  for (; to < jobs.length && isAlike(first, jobs[to]); to++);
  return to
}

function isAlike(a: Job | undefined, b: Job | undefined): boolean {
  return (
    a?.task === b?.task &&
    a?.queue === b?.queue &&
    a?.priority === b?.priority &&
    a?.maxAttempts === b?.maxAttempts &&
    isPlain(a) === isPlain(b)
  )
}

/** Without what few jobs have; of a trace there may be one in a hundred, or all. */
function isPlain(job: Job | undefined): boolean {
  return (
    (job?.key ??
      job?.runAt ??
      job?.deadline ??
      job?.tenant ??
      job?.idempotency ??
      job?.onDone ??
      job?.past) === undefined
  )
}

/** So many rows go into one statement while there are as many: binding them together costs half of a statement a row. */
const WIDTHS = [64, 8, 1]

function rememberPlain(step: Step, seq: number, jobs: readonly Job[]): number {
  const [first] = jobs
  if (first === undefined) return 0
  const { queue, task, priority, maxAttempts } = first
  const shared = { queue, task, priority, maxAttempts, rank: rank(step.now, priority) }
  let [at, taken] = [0, 0]
  for (const width of WIDTHS) {
    for (; jobs.length - at >= width; at += width) {
      const some = jobs.slice(at, at + width)
      const hasTraces = some.some(({ trace }) => trace !== undefined)
      const own: SQLInputValue[] = []
      for (const { id, createdAt, payload, trace } of some) {
        own.push(id, createdAt, payload)
        if (hasTraces) own.push(textOf(trace))
      }
      const insert = step.db.sql(plainInsert(width, hasTraces))
      taken += Number(insert.run({ ...shared, seq: seq + at }, ...own).changes)
    }
  }
  return taken
}

/** What the rows share is bound once, by name. */
const plainInserts = new Map<string, string>()

function plainInsert(width: number, hasTraces: boolean): string {
  const name = `${width} ${hasTraces}`
  let text = plainInserts.get(name)
  if (text === undefined) {
    const [column, value] = hasTraces ? [', trace', ', ?'] : ['', '']
    const rows = Array.from(
      { length: width },
      (_, nth) => `(:seq + ${nth}, ?, :queue, :task, :priority, ?, :maxAttempts, :rank, ?${value})`,
    )
    text = `insert into jobs (seq, id, queue, task, priority, created, max_attempts, rank, payload${column})
      values ${rows.join()} on conflict (id) do nothing`
    plainInserts.set(name, text)
  }
  return text
}

function rememberEach(step: Step, seq: number, jobs: readonly Job[]): number {
  const insert = step.db.sql(
    `insert into jobs (seq, id, queue, task, priority, created, max_attempts, rank, payload, key, run_at, deadline, trace,
       tenant, idempotency, fingerprint, on_done)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) on conflict do nothing`,
  )
  let taken = 0
  for (const [nth, job] of jobs.entries()) {
    const { id, queue, task, priority, createdAt, maxAttempts, payload } = job
    const { key = null, runAt = null, deadline = null, tenant = null, idempotency } = job
    const { rank: place } = arrivalOf(job, step.now)
    const row = [seq + nth, id, queue, task, priority, createdAt, maxAttempts, place, payload]
    const { key: once = null, fingerprint = null } = idempotency ?? {}
    const few = [textOf(job.trace), tenant, once, fingerprint, textOf(job.onDone)]
    taken += Number(insert.run(...row, key, runAt, deadline, ...few).changes)
  }
  return taken
}

function textOf(value: object | undefined): string | null {
  return value === undefined ? null : JSON.stringify(value)
}
