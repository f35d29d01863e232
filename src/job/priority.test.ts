import { describe, expect, test } from 'vitest'
import { AGING_MS, checkPriority, rank } from './priority.ts'

describe('the place in line', () => {
  test('puts the urgent before those who came at the same time', () => {
    const priorities = [0, 9, 4, 5]
    expect(priorities.toSorted((a, b) => rank(1000, a) - rank(1000, b))).toEqual([9, 5, 4, 0])
  })

  test('puts who came first before others of the same priority', () => {
    expect(rank(1000, 4)).toBeLessThan(rank(1001, 4))
  })

  test('lets the least urgent go ahead once it has waited long enough', () => {
    expect(rank(0, 0)).toBeGreaterThan(rank(9 * AGING_MS - 1, 9))
    expect(rank(0, 0)).toBeLessThan(rank(9 * AGING_MS + 1, 9))
  })
})

describe('a priority', () => {
  test('is a whole number from 0 to 9', () => {
    for (let level = 0; level <= 9; level++) expect(checkPriority(level)).toBe(level)
  })

  test.each([-1, 10, 4.5, Number.NaN, Infinity, '4', null, undefined, Symbol('s'), Object.create(null)])(
    'is refused otherwise (%#)',
    (value) => {
      expect(() => checkPriority(value)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
    },
  )
})
