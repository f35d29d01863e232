import type { Mutant } from '../mutants.ts'
import type { Line } from '../outside.ts'
import { percentile } from '../outside.ts'
import type { Count } from '../scene.ts'

/** How a fault is run: the short form is that of the tests. */
export interface Setting {
  readonly form: 'short' | 'long'
  readonly random: () => number
  /** A bug put in on purpose, to see that a check finds it. */
  readonly mutant?: Mutant
  /** How long the rest may take before it is called stuck. */
  readonly patienceMs?: number
}

/** What was done to whom, and what became of it: a row of the report. */
export interface Finding {
  /** In the project's list of faults. */
  readonly number: string
  readonly fault: string
  readonly injected: string
  readonly count: Count
  /** What each check found; empty where nothing is wrong. */
  readonly found: Found
  /** In words, with figures. */
  readonly seen: string
}

/** Every check there is. Each has its proof in `proofs.ts`. */
export const checks = [
  'lost',
  'finishedTwice',
  'staleEnds',
  'stuck',
  'died',
  'early',
  'grown',
  'herd',
  'hoarded',
  'outOfLine',
  'silent',
  'torn',
  'uncoded',
  'undead',
  'unsynced',
  'untold',
] as const

export type Check = (typeof checks)[number]

export type Found = Readonly<Partial<Record<Check, readonly string[]>>>

/** A fault that cannot be injected here, and what it would take. */
export class Impossible extends Error {}

export type Fault = (setting: Setting) => Promise<Finding>

/** What is asked of every run. */
export function kept({ lost, finishedTwice, staleEnds, stuck }: Count): Found {
  return { lost, finishedTwice, staleEnds, stuck: stuck ? ['jobs that wait or run still'] : [] }
}

/** The checks that found something, with what they found. */
export function broken(found: Found): Found {
  return Object.fromEntries(Object.entries(found).filter(([, wrong]) => wrong.length > 0))
}

export function withMutant({ mutant }: Setting): { mutant?: Mutant } {
  return mutant === undefined ? {} : { mutant }
}

/** The middle and the most of some figures. */
export function spread(figures: readonly number[], unit: string): string {
  const all = [...figures].sort((a, b) => a - b)
  if (all.length === 0) return 'none'
  return `p50 ${Math.round(percentile(all, 0.5) ?? 0)} max ${Math.round(all.at(-1) ?? 0)} ${unit}`
}

/** Of the codes of refusals, e.g. "BACKEND_FULL 12". */
export function tally(words: readonly string[]): string {
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return [...counts].map(([word, n]) => `${word} ${n}`).join(', ') || 'none'
}

/** How long after the end of a fault something happened again: P accepting, C claiming, D done. */
export function again(lines: readonly Line[], healed: number, kinds: readonly ('P' | 'C' | 'D')[]): string {
  const names = { P: 'accepting', C: 'claiming', D: 'done' }
  const parts = kinds.map((kind) => {
    const line = lines.find((one) => one.kind === kind && one.at >= healed)
    return `${names[kind]} again ${line === undefined ? 'never' : `after ${Math.round(line.at - healed)} ms`}`
  })
  return parts.join(', ')
}
