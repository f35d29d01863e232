import { median } from '../benchmarks/lib/figures.ts'

export type Point = readonly [x: number, y: number]

/** By how much y grows while x grows by one: least squares; 0 of fewer than two points. */
export function slope(points: readonly Point[]): number {
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(points.map((point) => point[0]))
  const y = mean(points.map((point) => point[1]))
  let [above, below] = [0, 0]
  for (const point of points) {
    above += (point[0] - x) * (point[1] - y)
    below += (point[0] - x) ** 2
  }
  return below === 0 ? 0 : above / below
}

/** The points whose x lies after `from`, up to `to`. */
export function between(points: readonly Point[], from: number, to: number): readonly Point[] {
  return points.filter(([x]) => x > from && x <= to)
}

export function medianOf(points: readonly Point[]): number {
  return median(points.map(([, y]) => y))
}
