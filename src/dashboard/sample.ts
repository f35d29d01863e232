import type { Depth, Totals } from '../broker.ts'
import type { Percentiles } from '../presence/spread.ts'
import type { WorkerView } from '../presence/view.ts'
import type { QueueRow, Rates, Sample, WorkersSum } from './shapes.ts'

/** What was told of everything at one instant. */
export interface Taken {
  readonly at: number
  readonly depths: readonly Depth[]
  /** Null where the store remembers none. */
  readonly workers: readonly WorkerView[] | null
}

/** Each queue with its rates since the instant before, those with most to do first. */
export function queueRows({ at, depths }: Taken, before: Taken | undefined): QueueRow[] {
  const earlier = new Map(before?.depths.map((depth) => [depth.queue, depth]))
  const ms = at - (before?.at ?? at)
  return depths
    .map(({ totals, ...depth }) => ({
      ...depth,
      rates: ratesOf(
        totals,
        before === undefined
          ? null
          : earlier.has(depth.queue)
            ? (earlier.get(depth.queue)?.totals ?? null)
            : NONE,
        ms,
      ),
    }))
    .sort((a, b) => weight(b) - weight(a) || a.queue.localeCompare(b.queue))
}

/** Of a queue that is new. */
const NONE: Totals = { accepted: 0, done: 0, failed: 0, dead: 0, cancelled: 0 }

/** All queues and workers as one. */
export function sampleOf({ at, workers }: Taken, rows: readonly QueueRow[]): Sample {
  const sum = (name: 'ready' | 'running' | 'scheduled' | 'dead'): number | null =>
    added(rows.map((row) => row[name]))
  const ages = rows.flatMap(({ oldestAgeMs }) => oldestAgeMs ?? [])
  return {
    at,
    ready: sum('ready'),
    running: sum('running'),
    scheduled: sum('scheduled'),
    dead: sum('dead'),
    oldestAgeMs: ages.length === 0 ? null : ages.reduce((a, b) => Math.max(a, b)),
    rates: summedRates(rows),
    workers: workers === null ? null : summed(workers),
  }
}

function ratesOf(now: Totals | null, before: Totals | null, ms: number): Rates | null {
  if (now === null || before === null || ms <= 0) return null
  const rate = (name: keyof Totals): number => perSecond(now[name] - before[name], ms)
  return {
    accepted: rate('accepted'),
    done: rate('done'),
    failed: rate('failed'),
    dead: rate('dead'),
    cancelled: rate('cancelled'),
  }
}

/** A store that was made anew counts from 0 again. */
function perSecond(more: number, ms: number): number {
  return Math.max(0, Math.round((more / ms) * 10_000) / 10)
}

function summedRates(rows: readonly QueueRow[]): Rates | null {
  const known = rows.flatMap(({ rates }) => rates ?? [])
  if (known.length === 0) return null
  const total = (name: keyof Rates): number =>
    Math.round(known.reduce((sum, rates) => sum + rates[name], 0) * 10) / 10
  return {
    accepted: total('accepted'),
    done: total('done'),
    failed: total('failed'),
    dead: total('dead'),
    cancelled: total('cancelled'),
  }
}

/** What one queue cannot tell, the sum cannot. */
function added(values: readonly (number | null)[]): number | null {
  return values.reduce<number | null>(
    (sum, value) => (sum === null || value === null ? null : sum + value),
    0,
  )
}

function weight({ ready, running, dead }: QueueRow): number {
  return (ready ?? 0) + (running ?? 0) + (dead ?? 0)
}

function summed(workers: readonly WorkerView[]): WorkersSum {
  const total = (name: 'slots' | 'running'): number => workers.reduce((sum, worker) => sum + worker[name], 0)
  return {
    count: workers.length,
    troubled: workers.filter(({ state }) => state === 'degraded').length,
    slots: total('slots'),
    running: total('running'),
    wait: together(workers.flatMap(({ wait }) => wait ?? [])),
    run: together(workers.flatMap(({ run }) => run ?? [])),
  }
}

/** As near as percentiles of percentiles can be: the middle is weighed by how many there were, the tails are those of the worst worker. */
function together(all: readonly Percentiles[]): Percentiles | null {
  const count = all.reduce((sum, one) => sum + one.count, 0)
  if (count === 0) return null
  return {
    count,
    p50: all.reduce((sum, one) => sum + one.p50 * one.count, 0) / count,
    p95: Math.max(...all.map(({ p95 }) => p95)),
    p99: Math.max(...all.map(({ p99 }) => p99)),
  }
}
