import { appendFileSync, existsSync, readFileSync } from 'node:fs'

/** What a process writes down: P accepted, C claimed, S started, E effect done, D end acknowledged, K about to die, X an error was logged. */
export type Kind = 'P' | 'C' | 'S' | 'E' | 'D' | 'K' | 'X'

export interface Line {
  readonly kind: Kind
  readonly id: string
  readonly attempt: number
  readonly pid: number
  readonly at: number
}

/** A ledger outside the system: one file, appended to by every process, in the order of what happened. */
export class Outside {
  readonly path: string

  constructor(path: string) {
    this.path = path
  }

  write(kind: Kind, id: string, attempt = 0): void {
    appendFileSync(
      this.path,
      `${kind}\t${id}\t${attempt}\t${process.pid}\t${(performance.timeOrigin + performance.now()).toFixed(2)}\n`,
    )
  }

  read(): Line[] {
    if (!existsSync(this.path)) return []
    const lines = readFileSync(this.path, 'utf8').split('\n').slice(0, -1)
    return lines.map((line) => {
      const [kind = '', id = '', attempt, pid, at] = line.split('\t')
      return { kind: kind as Kind, id, attempt: Number(attempt), pid: Number(pid), at: Number(at) }
    })
  }

  ids(kind: Kind): string[] {
    return this.read()
      .filter((line) => line.kind === kind)
      .map(({ id }) => id)
  }
}

/** Those that stand in the list more than once. */
export function repeated(ids: readonly string[]): string[] {
  const seen = new Set<string>()
  return [...new Set(ids.filter((id) => seen.has(id) || !seen.add(id)))]
}

/** For every job that a killed process held: the time until another process claimed it. */
export function recoveries(lines: readonly Line[]): number[] {
  const times: number[] = []
  lines.forEach((kill, index) => {
    if (kill.kind !== 'K') return
    const before = lines.slice(0, index).filter(({ pid }) => pid === kill.pid)
    const settled = new Set(before.filter(({ kind }) => kind === 'D').map(({ id }) => id))
    for (const { kind, id, attempt } of before) {
      if (kind !== 'C' || settled.has(id)) continue
      const again = lines.find((line) => line.kind === 'C' && line.id === id && line.attempt > attempt)
      if (again !== undefined) times.push(Math.round(again.at - kill.at))
    }
  })
  return times.sort((a, b) => a - b)
}

export function percentile(sorted: readonly number[], part: number): number | undefined {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))]
}
