import { expect, test } from 'vitest'
import { Lane, Lanes } from './lanes.ts'

const half = (): number => 0.5

test('a lane lets in as many as its limit, and the rest in places of their own', () => {
  const lane = new Lane(2)
  expect([lane.enter(0, half), lane.enter(0, half)]).toEqual([0, 0])
  const waits = [lane.enter(0, half), lane.enter(0, half), lane.enter(0, half)]
  expect(waits).toEqual([250, 500, 750])
  lane.leave(500)
  expect(lane.enter(0, half)).toBe(0)
})

test('nobody is sent away for more than a minute by those before it', () => {
  const lane = new Lane(1)
  lane.enter(0, half)
  const waits = Array.from({ length: 1000 }, () => lane.enter(0, Math.random))
  expect(Math.max(...waits)).toBeLessThanOrEqual(60_000)
  expect(Math.min(...waits)).toBeGreaterThan(0)
})

test('slow deliveries spread the places further', () => {
  const lane = new Lane(1)
  for (let run = 0; run < 50; run++) {
    lane.enter(0, half)
    lane.leave(20_000)
  }
  lane.enter(0, half)
  expect(lane.enter(0, half)).toBeGreaterThan(19_000)
})

test('a held lane lets nobody in before the time, and then as many as its limit', () => {
  const lane = new Lane(2)
  lane.hold(1000, 30_000)
  expect(lane.enter(1000, half)).toBeGreaterThanOrEqual(30_000)
  expect(lane.enter(30_999, half)).toBeGreaterThanOrEqual(1)
  expect(lane.enter(31_000, half)).toBe(0)
})

test('holds without a time double from 5 s to 5 minutes, once for all that fail together', () => {
  const lane = new Lane(5)
  const holds: number[] = []
  for (let now = 0, round = 0; round < 8; round++) {
    for (let together = 0; together < 5; together++) lane.hold(now, undefined)
    let until = now
    while (lane.enter(until, half) > 0) until += 1000
    lane.leave(0)
    holds.push((until - now) / 1000)
    now = until
  }
  expect(holds).toEqual([5, 10, 20, 40, 80, 160, 300, 300])
})

test('a delivery that was taken ends the doubling, not the hold', () => {
  const lane = new Lane(5)
  for (const now of [0, 5000, 15_000]) lane.hold(now, undefined)
  lane.took(16_000)
  expect(lane.enter(16_000, half)).toBeGreaterThan(0)
  lane.hold(40_000, undefined)
  expect(lane.enter(45_000, half)).toBe(0)
  expect([lane.tookSince(16_000), lane.tookSince(16_001)]).toEqual([true, false])
})

test('ten thousand lanes are remembered, and those with a delivery under way', () => {
  const lanes = new Lanes()
  const busy = lanes.of('busy', 1)
  busy.enter(0, half)
  const idle = lanes.of('idle', 1)
  for (let index = 0; index < 20_000; index++) lanes.of(`other ${index}`, 1)
  expect(lanes.of('busy', 1)).toBe(busy)
  expect(lanes.of('idle', 1)).not.toBe(idle)
})
