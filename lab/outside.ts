import { existsSync, openSync, readFileSync, writeSync } from 'node:fs'

/**
 * What a process writes down: P accepted, R refused (its code), C claimed, S started, E effect done, D end acknowledged,
 * T another try acknowledged, L told that its lease was lost, H the health of a worker, M a measure, K about to die, X an
 * error was logged.
 */
export type Kind = 'P' | 'R' | 'C' | 'S' | 'E' | 'D' | 'T' | 'L' | 'H' | 'M' | 'K' | 'X'

export interface Line {
  readonly kind: Kind
  readonly id: string
  readonly attempt: number
  readonly pid: number
  readonly at: number
  /** The size of the log at a P or D, when a T is due, the figure of an M. */
  readonly value: number
}

/** A ledger outside the system: one file, appended to by every process, in the order of what happened. */
export class Outside {
  readonly path: string
  #file: number | undefined

  constructor(path: string) {
    this.path = path
  }

  /** Needs no file descriptor any more after this. */
  open(): void {
    this.#file ??= openSync(this.path, 'a')
  }

  /** On the file when it returns, in one piece: a kill after it cannot take it back. */
  write(kind: Kind, id: string, attempt = 0, pid = process.pid, value = 0): void {
    this.#file ??= openSync(this.path, 'a')
    writeSync(this.#file, `${kind}\t${id}\t${attempt}\t${pid}\t${trueNow().toFixed(2)}\t${value}\n`)
  }

  read(): Line[] {
    if (!existsSync(this.path)) return []
    const lines = readFileSync(this.path, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [kind = '', id = '', ...figures] = line.split('\t')
      const [attempt = 0, pid = 0, at = 0, value = 0] = figures.map(Number)
      return { kind: kind as Kind, id, attempt, pid, at, value }
    })
  }

  ids(kind: Kind): string[] {
    return this.read()
      .filter((line) => line.kind === kind)
      .map(({ id }) => id)
  }
}

/** Whatever a process takes the time to be. */
export function trueNow(): number {
  return performance.timeOrigin + performance.now()
}

/** How many lines of a kind there are. */
export function howMany(lines: readonly Line[], kind: Kind): number {
  return lines.filter((line) => line.kind === kind).length
}

/** Those that stand in the list more than once. */
export function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>()
  return [...new Set(ids.filter((id) => seen.has(id) || !seen.add(id)))]
}

/** For every job that a killed process held: the time until another process claimed it. */
export function recoveries(lines: readonly Line[]): number[] {
  const held = new Map<number, Map<string, number>>()
  const orphans = new Map<string, { at: number; attempt: number }>()
  const times: number[] = []
  for (const { kind, id, attempt, pid, at } of lines) {
    const own = held.get(pid) ?? new Map<string, number>()
    held.set(pid, own)
    if (kind === 'C') {
      const orphan = orphans.get(id)
      if (orphan !== undefined && attempt > orphan.attempt) {
        times.push(Math.round(at - orphan.at))
        orphans.delete(id)
      }
      own.set(id, attempt)
    }
    if (kind === 'D') own.delete(id)
    if (kind === 'K') {
      for (const [orphan, begun] of own) orphans.set(orphan, { at, attempt: begun })
      held.delete(pid)
    }
  }
  return times.sort((a, b) => a - b)
}

/** Ends and retries that were taken from a worker although another had claimed the job after it. */
export function staleEnds(lines: readonly Line[]): string[] {
  const newest = new Map<string, number>()
  const stale: string[] = []
  for (const { kind, id, attempt } of lines) {
    if (kind === 'C') newest.set(id, Math.max(attempt, newest.get(id) ?? 0))
    if ((kind === 'D' || kind === 'T') && attempt < (newest.get(id) ?? 0)) stale.push(id)
  }
  return stale
}

/** How often a job was started while another process was still running it. */
export function overlaps(lines: readonly Line[]): number {
  const running = new Map<string, number>()
  const killed = new Set<number>()
  let count = 0
  for (const { kind, id, pid } of lines) {
    if (kind === 'K') killed.add(pid)
    if (kind === 'E' && running.get(id) === pid) running.delete(id)
    if (kind !== 'S') continue
    const other = running.get(id)
    if (other !== undefined && other !== pid && !killed.has(other)) count++
    running.set(id, pid)
  }
  return count
}

export function percentile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}
