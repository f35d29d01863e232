import type { JobRecord } from '../src/job/job.ts'
import type { Line } from './outside.ts'

// What can be wrong in a ledger, besides what `count` asks of every run. Each answers what it found.

/** A start before everyone accepted earlier for the key has had its effect, or a run after a later one began. */
export function outOfLine(lines: readonly Line[], keys: number): string[] {
  const wrong: string[] = []
  const begun = new Map<number, number>()
  const effects = new Set<string>()
  for (const { kind, id } of lines) {
    if (kind !== 'S' && kind !== 'E') continue
    const place = Number(id.slice(2))
    const key = place % keys
    const furthest = begun.get(key) ?? -1
    if (place < furthest) wrong.push(`${kind} ${id} after p-${furthest} had begun`)
    if (kind === 'S' && place >= keys && !effects.has(`p-${place - keys}`))
      wrong.push(`${id} before p-${place - keys} had its effect`)
    if (kind === 'E') effects.add(id)
    begun.set(key, Math.max(furthest, place))
  }
  return wrong
}

/** A refusal without a code. */
export function uncoded(lines: readonly Line[]): string[] {
  return lines
    .filter(({ kind, id }) => kind === 'R' && !/^[A-Z]+(_[A-Z]+)*$/.test(id))
    .map(({ id }) => `refused with ${id}`)
}

/** A start before the instant for which the job was accepted. */
export function early(lines: readonly Line[], dueAt: (id: string) => number): string[] {
  return lines
    .filter(({ kind, id, at }) => kind === 'S' && at < dueAt(id) - 1)
    .map(({ id, at }) => `${id} ${Math.round(dueAt(id) - at)} ms before its time`)
}

/** A lease that was lost while its process lived on, and that nobody was told of. */
export function untold(lines: readonly Line[]): string[] {
  const newest = new Map<string, number>()
  const killed = new Set<number>()
  const told = new Set<string>()
  for (const { kind, id, attempt, pid } of lines) {
    if (kind === 'C') newest.set(id, Math.max(attempt, newest.get(id) ?? 0))
    if (kind === 'K') killed.add(pid)
    if (kind === 'L' || kind === 'D') told.add(`${id} ${attempt}`)
  }
  return lines
    .filter(
      ({ kind, id, attempt, pid }) =>
        kind === 'S' && attempt < (newest.get(id) ?? 0) && !killed.has(pid) && !told.has(`${id} ${attempt}`),
    )
    .map(({ id, attempt }) => `${id}, attempt ${attempt}`)
}

/** A tenth of the span over which the retries of one attempt could lie that holds more than a third of them. */
export function herd(lines: readonly Line[], attempt: number, spanMs: number): string[] {
  const waits = lines
    .filter((line) => line.kind === 'T' && line.attempt === attempt)
    .map(({ at, value }) => value - at)
  const tenths = new Map<number, number>()
  for (const ms of waits) {
    const tenth = Math.floor((Math.max(0, ms) / spanMs) * 10)
    tenths.set(tenth, (tenths.get(tenth) ?? 0) + 1)
  }
  return [...tenths]
    .filter(([, n]) => n > waits.length / 3)
    .map(([tenth, n]) => `${n} of ${waits.length} retries in the tenth ${tenth} of ${spanMs} ms`)
}

/** The figures of one measure, in order. */
export function measured(lines: readonly Line[], name: string): number[] {
  return lines.filter(({ kind, id }) => kind === 'M' && id === name).map(({ value }) => value)
}

/** More jobs in a worker's buffer than it may have ahead. */
export function hoarded(lines: readonly Line[], limit: number): string[] {
  const most = Math.max(0, ...measured(lines, 'buffered'))
  return most > limit ? [`${most} jobs in the buffer, of at most ${limit}`] : []
}

/** Memory that grows with the backlog: the most of it against the least once work had begun. */
export function grown(lines: readonly Line[], limitMb: number): string[] {
  const rss = measured(lines, 'rss')
  const begun = rss.slice(Math.floor(rss.length / 10))
  const growth = Math.max(...begun) - Math.min(...begun)
  return growth > limitMb ? [`${growth} MB more than at the least`] : []
}

/** Poison that is not dead after just its attempts, each for its reason. */
export function undead(
  jobs: ReadonlyMap<string, JobRecord>,
  poisons: readonly string[],
  { attempts, code }: { attempts: number; code: string },
): string[] {
  return poisons.filter((id) => {
    const job = jobs.get(id)
    const codes = job?.faults.map((fault) => fault.code).join()
    return job?.state !== 'dead' || job.attempt !== attempts || codes !== Array(attempts).fill(code).join()
  })
}

/** Jobs that could have been done and are dead. */
export function died(jobs: ReadonlyMap<string, JobRecord>): string[] {
  return [...jobs.values()]
    .filter(({ state }) => state === 'dead')
    .map(({ id, attempt, faults }) => `${id} after ${attempt} attempts, at last of ${faults.at(-1)?.code}`)
}

/** Nobody said that something was wrong, or a worker that said so and lived on did not say that it was over. */
export function silent(lines: readonly Line[]): string[] {
  const killed = new Set(lines.filter(({ kind }) => kind === 'K').map(({ pid }) => pid))
  const last = new Map<number, string>()
  let said = false
  for (const { kind, id, pid } of lines) {
    if (kind !== 'H') continue
    last.set(pid, id)
    said ||= id === 'degraded'
  }
  if (!said) return ['no worker was degraded']
  return [...last]
    .filter(([pid, state]) => state === 'degraded' && !killed.has(pid))
    .map(([pid]) => `worker ${pid} is degraded still`)
}
