import { expect, test } from 'vitest'
import type { Reading } from '../policy/reading.ts'
import type { Window } from './rates.ts'
import { rateOf, runMsOf, slide } from './rates.ts'

const blank = { ready: 0, dueSoon: 0, oldestAgeMs: 0, failed: 0, runMs: null, workers: 1, starting: 0 }

/** A reading a second, of totals and of what runs then. */
function windowOf(ended: readonly (number | null)[], running: number | null = 0): Window {
  return ended.reduce<Window>(
    (window, total, second) =>
      slide(window, {
        ...blank,
        at: second * 1000,
        accepted: total,
        ended: total,
        running,
      } satisfies Reading),
    [],
  )
}

test('a rate is what a total grew by in the last ten seconds', () => {
  expect(rateOf(windowOf([0, 10, 20]), 'ended')).toBe(10)
  const surge = [
    ...Array.from({ length: 60 }, () => 100),
    ...Array.from({ length: 11 }, (_, n) => 100 + 50 * n),
  ]
  expect(rateOf(windowOf(surge), 'accepted')).toBe(50)
})

test('one reading, or totals that are not known, tell no rate', () => {
  expect(rateOf(windowOf([7]), 'ended')).toBeNull()
  expect(rateOf(windowOf([null, null, null]), 'ended')).toBeNull()
})

test('a total that began anew, as a store that was replaced has it, is no negative rate', () => {
  expect(rateOf(windowOf([1000, 1010, 0]), 'ended')).toBe(0)
})

test('what runs over what ends is how long it takes, and what is only held ahead does not run', () => {
  expect(runMsOf(windowOf([0, 20, 40], 4), 10)).toBe(200)
  expect(runMsOf(windowOf([0, 20, 40], 400), 10)).toBe(500)
})

test('while none ends, or nobody knows what runs, it cannot be told', () => {
  expect(runMsOf(windowOf([5, 5, 5], 4), 10)).toBeNull()
  expect(runMsOf(windowOf([0, 20], null), 10)).toBeNull()
})
