import { expect, test } from 'vitest'
import { logTicks, ticks } from '../../lab/chart.ts'
import { between, slope } from '../../lab/curve.ts'
import { Histogram } from '../../lab/histogram.ts'

test('the slope is that of the nearest line', () => {
  const line = Array.from({ length: 10 }, (_, x) => [x, 3 * x + 5] as const)
  expect(slope(line)).toBeCloseTo(3)
  expect(slope(line.map(([x, y]) => [x, y + (x % 2)] as const))).toBeCloseTo(3, 1)
  expect(slope([[0, 1]])).toBe(0)
  expect(slope([])).toBe(0)
})

test('points are taken from after a beginning up to an end', () => {
  const at = [1, 2, 3].map((x) => [x, 0] as const)
  expect(between(at, 1, 2)).toEqual([[2, 0]])
})

test('ticks are round numbers within the range, or beyond its end where asked', () => {
  expect(ticks(0, 30, 10)).toEqual([0, 5, 10, 15, 20, 25, 30])
  expect(ticks(0, 0.3, 3)).toEqual([0, 0.1, 0.2, 0.3])
  expect(ticks(0, 101, 5, true)).toEqual([0, 50, 100, 150])
  expect(ticks(0, 0, 5, true)).toHaveLength(2)
})

test('ticks of a log scale surround the values', () => {
  expect(logTicks([0.7, 4200])).toEqual([0.1, 1, 10, 100, 1000, 10_000])
  expect(logTicks([2, 30])).toEqual([1, 2, 5, 10, 20, 50, 100])
  expect(logTicks([])).toEqual([1, 10])
})

test('a histogram tells percentiles to a few percent, and adds up with others', () => {
  const [one, other] = [new Histogram(), new Histogram()]
  for (let value = 1; value <= 500; value++) one.add(value)
  for (let value = 501; value <= 1000; value++) other.add(value)
  one.merge(other.take())
  expect(Math.abs((one.percentile(0.5) ?? 0) - 500)).toBeLessThan(25)
  expect(Math.abs((one.percentile(0.99) ?? 0) - 990)).toBeLessThan(50)
  expect(other.percentile(0.5)).toBeUndefined()
})

test('what is taken from a histogram is not told again, and no value is too small or too large', () => {
  const histogram = new Histogram()
  for (const value of [-1, 0, 1e12]) histogram.add(value)
  expect(histogram.take().reduce((sum, count) => sum + count, 0)).toBe(3)
  expect(histogram.percentile(0.5)).toBeUndefined()
})
