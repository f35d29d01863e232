import type { Reading } from '../policy/reading.ts'

const WINDOW_MS = 10_000
const MOST = 100

type Counts = Pick<Reading, 'at' | 'accepted' | 'ended' | 'running'>

/** The readings of the last ten seconds, and one before. */
export type Window = readonly Counts[]

export function slide(window: Window, { at, accepted, ended, running }: Reading): Window {
  const all = [...window, { at, accepted, ended, running }]
  const first = all.findLastIndex((one) => one.at <= at - WINDOW_MS)
  return all.slice(Math.max(0, first, all.length - MOST))
}

/** By how much a total grew in a second; null where it cannot be told. */
export function rateOf(window: Window, total: 'accepted' | 'ended'): number | null {
  const known = window.filter((one) => one[total] !== null)
  const [first, last] = [known[0], known.at(-1)]
  if (first === undefined || last === undefined || last.at <= first.at) return null
  return (Math.max(0, (last[total] ?? 0) - (first[total] ?? 0)) * 1000) / (last.at - first.at)
}

/**
 * How long an attempt takes, by Little's law: so many run at a time, so many end in a second. What workers hold ahead counts as
 * running, but no more than `slots` can. Null while none ends.
 */
export function runMsOf(window: Window, slots: number): number | null {
  const rate = rateOf(window, 'ended')
  const counts = window.flatMap(({ running }) => running ?? [])
  if (rate === null || rate === 0 || counts.length === 0) return null
  const mean = counts.reduce((sum, running) => sum + Math.min(running, slots), 0) / counts.length
  return (mean * 1000) / rate
}
