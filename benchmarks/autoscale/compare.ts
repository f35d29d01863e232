import { median } from '../lib/figures.ts'
import type { Clairvoyant } from './clairvoyant.ts'
import { clairvoyant } from './clairvoyant.ts'
import type { Load } from './loads.ts'
import { jobsOf, MAX_WORKERS } from './loads.ts'
import { own } from './own.ts'
import { celery, horizon, keda } from './peers.ts'
import type { Run, Scaler } from './plant.ts'
import { run } from './plant.ts'

/** One system on one load: medians over the seeds. */
export interface Row {
  readonly system: string
  readonly secondsAbove: number
  /** The worst seed. */
  readonly mostAbove: number
  readonly oldest: number
  readonly peak: number
  readonly turns: number
  /** Worker-seconds by those of the clairvoyant. */
  readonly cost: number
  readonly mostCost: number
  /** In all seeds together. */
  readonly killed: number
}

export interface Compared {
  readonly load: Load
  readonly rows: readonly Row[]
  readonly clairvoyantPeak: number
  /** The first seed, for a picture. */
  readonly shown: {
    readonly runs: readonly { readonly system: string; readonly run: Run }[]
    readonly best: Clairvoyant
  }
}

/** Offload first. Horizon and Celery keep one worker at the least, so they begin with one. */
export function systemsOn(load: Load): { make: () => Scaler; first: number }[] {
  const bounds = { min: load.min, max: MAX_WORKERS }
  const least = Math.max(1, load.min)
  return [
    { make: () => own(load, bounds), first: load.min },
    { make: () => horizon(bounds), first: least },
    { make: () => celery(bounds), first: least },
    { make: () => keda(bounds), first: load.min },
  ]
}

export function compare(load: Load, seeds: readonly number[]): Compared {
  const inputs = seeds.map((seed) => {
    const jobs = jobsOf(load, seed)
    return { jobs, best: clairvoyant(load, jobs) }
  })
  const all = systemsOn(load).map(({ make, first }) => ({
    system: make().name,
    runs: inputs.map(({ jobs }) => run(load, jobs, make, first)),
  }))
  const rows = all.map(({ system, runs }): Row => {
    const of = (figure: (run: Run) => number): number[] => runs.map(figure)
    const above = of(({ secondsAbove }) => secondsAbove)
    const costs = runs.map(({ workerSeconds }, nth) => workerSeconds / (inputs[nth]?.best.workerSeconds ?? 0))
    return {
      system,
      secondsAbove: median(above),
      mostAbove: Math.max(...above),
      oldest: median(of(({ ages }) => Math.max(...ages))),
      peak: median(of(({ peak }) => peak)),
      turns: median(of(({ turns }) => turns)),
      cost: median(costs),
      mostCost: Math.max(...costs),
      killed: of(({ killed }) => killed).reduce((sum, one) => sum + one, 0),
    }
  })
  const shownBest = inputs[0]?.best ?? { workerSeconds: 0, workers: [] }
  return {
    load,
    rows,
    clairvoyantPeak: median(inputs.map(({ best }) => Math.max(...best.workers))),
    shown: {
      runs: all.flatMap(({ system, runs }) => runs.slice(0, 1).map((one) => ({ system, run: one }))),
      best: shownBest,
    },
  }
}
