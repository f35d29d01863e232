import type { Connection } from './connection.ts'

/**
 * `ready`, `running` and `ended` hold spans: a row stands for the jobs `first` to `last`, which are alike in all that the
 * row says. Jobs that come, are claimed and end together so cost one row, however many they are.
 */
export interface Span {
  readonly first: number
  readonly last: number
}

/** The tables of spans, each with the columns that its jobs share. No two rows of a table overlap. */
const SHARED = {
  ready: 'queue, rank, attempt, fence, started, publish, published',
  running: 'queue, claim, until, lease, worker, cancelling, attempt, fence, started',
  ended: 'queue, state, at, attempt, fence, started',
} as const

export type SpanTable = keyof typeof SHARED

/** The span that holds a job, with the columns that its jobs share. */
export function spanOf<Shared>(db: Connection, table: SpanTable, seq: number): (Span & Shared) | undefined {
  const span = db
    .sql(`select first, last, ${SHARED[table]} from ${table} where first <= ? order by first desc limit 1`)
    .get(seq) as (Span & Shared) | undefined
  return span !== undefined && span.last >= seq ? span : undefined
}

/** A part of a run of jobs, and the span that holds all of it; without one it is a single job that none holds. */
export interface Piece<Shared> extends Span {
  readonly span?: Span & Shared
}

/** Goes through the jobs `first` to `last` by the spans that hold them. A piece may be taken out before the next is asked for. */
export function* pieces<Shared>(
  db: Connection,
  table: SpanTable,
  { first, last }: Span,
): Generator<Piece<Shared>> {
  for (let at = first; at <= last; ) {
    const span = spanOf<Shared>(db, table, at)
    if (span === undefined) yield { first: at, last: at++ }
    else {
      const piece = { first: at, last: Math.min(last, span.last), span }
      at = piece.last + 1
      yield piece
    }
  }
}

/** Takes jobs out of the span that holds them; who stands before and after them stays. */
export function takeOut(db: Connection, table: SpanTable, span: Span, { first, last }: Span): void {
  const [isHead, isTail] = [span.first === first, span.last === last]
  if (isHead && isTail) db.sql(`delete from ${table} where first = ?`).run(first)
  else if (isHead) db.sql(`update ${table} set first = ? where first = ?`).run(last + 1, first)
  else {
    if (!isTail) {
      const shared = SHARED[table]
      db.sql(
        `insert into ${table} (first, last, ${shared}) select ?, last, ${shared} from ${table} where first = ?`,
      ).run(last + 1, span.first)
    }
    db.sql(`update ${table} set last = ? where first = ?`).run(first - 1, span.first)
  }
}

/** Takes one job out of the span that holds it. */
export function takeOneOut(db: Connection, table: SpanTable, seq: number): void {
  const span = spanOf(db, table, seq)
  if (span !== undefined) takeOut(db, table, span, { first: seq, last: seq })
}

/** Adds a span at the end of a list: to the last one, when it follows on that and `isAlike` says so. */
export function extend<S extends Span>(spans: S[], next: S, isAlike: (before: S) => boolean): void {
  const before = spans.at(-1)
  if (before !== undefined && before.last + 1 === next.first && isAlike(before))
    spans[spans.length - 1] = { ...before, last: next.last }
  else spans.push(next)
}
