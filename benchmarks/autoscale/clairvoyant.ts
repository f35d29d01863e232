import type { Job, Load } from './loads.ts'
import { MAX_WORKERS, TARGET_SECONDS } from './loads.ts'

export interface Clairvoyant {
  readonly workerSeconds: number
  /** Once a second. */
  readonly workers: readonly number[]
}

/**
 * The least worker-seconds that keep every job's wait within the target, by one who knows all arrivals and run times and orders
 * workers ahead of need. Work done by an instant lies between two curves: what has come by then, and what must be done by then
 * because its target and run time are over (where the target cannot be kept by anyone: what can be done at the most). The shortest path
 * between them is the one that does it with the fewest workers at every level and the fewest changes. It counts no fewer than
 * `min` workers, and the start-up of each one that is added. Workers are taken as divisible, so no real schedule does with less.
 */
export function clairvoyant(load: Load, jobs: readonly Job[]): Clairvoyant {
  const [come, due] = [
    new Array<number>(load.seconds + 1).fill(0),
    new Array<number>(load.seconds + 1).fill(0),
  ]
  for (const { at, work } of jobs) {
    add(come, at, work)
    add(due, at + work + TARGET_SECONDS, work)
  }
  const [arrived, needed] = [summed(come), summed(due)]
  const most: number[] = [0]
  for (let at = 1; at <= load.seconds; at++) {
    const limit = Math.min(MAX_WORKERS, load.capacity(at - 1))
    most.push(Math.min(arrived[at] ?? 0, (most[at - 1] ?? 0) + limit))
  }
  const least = needed.map((work, at) => Math.min(work, most[at] ?? 0))
  least[load.seconds] = most[load.seconds] ?? 0
  const workers = slopes(shortestPath(least, most)).map((one) => Math.max(load.min, one))
  const rises = workers.map((one, at) => Math.max(0, one - (workers[at - 1] ?? load.min)))
  return { workerSeconds: sum(workers) + load.startSeconds * sum(rises), workers }
}

function add(curve: number[], at: number, work: number): void {
  const second = Math.min(curve.length - 1, Math.ceil(at))
  curve[second] = (curve[second] ?? 0) + work
}

function summed(curve: readonly number[]): number[] {
  let total = 0
  return curve.map((one) => {
    total += one
    return total
  })
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + one, 0)

const slopes = (path: readonly number[]): number[] =>
  path.slice(1).map((value, at) => value - (path[at] ?? 0))

/** The shortest path from the first to the last point that stays between two curves: a string pulled taut. */
function shortestPath(low: readonly number[], high: readonly number[]): number[] {
  const end = low.length - 1
  const path = [low[0] ?? 0]
  for (let from = 0; from < end; ) {
    const start = path[from] ?? 0
    let [up, down] = [
      { at: end, slope: Number.POSITIVE_INFINITY },
      { at: end, slope: Number.NEGATIVE_INFINITY },
    ]
    let turn: { at: number; slope: number } | undefined
    for (let at = from + 1; at <= end && turn === undefined; at++) {
      const [toHigh, toLow] = [high[at] ?? 0, low[at] ?? 0].map((value) => (value - start) / (at - from))
      if (toHigh === undefined || toLow === undefined) break
      if (toLow > up.slope) turn = up
      else if (toHigh < down.slope) turn = down
      if (toHigh <= up.slope) up = { at, slope: toHigh }
      if (toLow >= down.slope) down = { at, slope: toLow }
    }
    const { at: to, slope } = turn ?? { at: end, slope: ((low[end] ?? 0) - start) / (end - from) }
    for (let at = from + 1; at <= to; at++) path.push(start + slope * (at - from))
    from = to
  }
  return path
}
