import { expect, test } from 'vitest'
import { Spread } from './spread.ts'

test('without times there are no percentiles', () => {
  expect(new Spread().read(0)).toBeNull()
})

test('a percentile is within 12 % of the time that it stands for', () => {
  const spread = new Spread()
  for (let ms = 1; ms <= 1000; ms++) spread.add(ms)
  const { count, p50, p95, p99 } = spread.read(1) ?? { count: 0, p50: 0, p95: 0, p99: 0 }
  expect(count).toBe(1000)
  for (const [told, real] of [
    [p50, 500],
    [p95, 950],
    [p99, 990],
  ] as const)
    expect(Math.abs(told / real - 1)).toBeLessThan(0.12)
})

test('times below and above all buckets are counted in the first and the last', () => {
  const spread = new Spread()
  for (const ms of [0, -1, Number.MIN_VALUE, 1e12]) spread.add(ms)
  expect(spread.read(1)?.count).toBe(4)
})

test('times are told for half a minute at least, and for no more than a minute', () => {
  const spread = new Spread()
  spread.add(5)
  expect(spread.read(29_999)?.count).toBe(1)
  expect(spread.read(30_000)?.count).toBe(1)
  spread.add(7)
  expect(spread.read(60_000)?.count).toBe(1)
  expect(spread.read(90_000)).toBeNull()
})

test('what was not asked for over a minute is told no more', () => {
  const spread = new Spread()
  spread.add(5)
  expect(spread.read(60_000)).toBeNull()
})
