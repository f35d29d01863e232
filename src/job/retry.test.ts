import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs, retryPolicy, waitAfter } from './retry.ts'

const half = (): number => 0.5

describe('the backoff', () => {
  const random = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
  const wait = fc.integer({ min: 0, max: 1e12 })

  test('lies between 0 and the doubled base, and never above the longest wait', () => {
    fc.assert(
      fc.property(wait, wait, fc.integer({ min: 1, max: 1000 }), random, (baseMs, maxMs, attempt, point) => {
        const waited = backoffMs({ baseMs, maxMs }, attempt, () => point)
        expect(Number.isInteger(waited)).toBe(true)
        expect(waited).toBeGreaterThanOrEqual(0)
        expect(waited).toBeLessThanOrEqual(Math.min(maxMs, baseMs * 2 ** (attempt - 1)))
      }),
    )
  })

  test('reaches both ends of its range', () => {
    const policy = { baseMs: 1000, maxMs: 600_000 }
    expect(backoffMs(policy, 3, () => 0)).toBe(0)
    expect(backoffMs(policy, 3, () => 1 - Number.EPSILON)).toBe(4000)
    expect(backoffMs(policy, 1000, () => 1 - Number.EPSILON)).toBe(600_000)
  })
})

describe('the policy', () => {
  test('is five attempts from a second to ten minutes unless told otherwise', () => {
    expect(retryPolicy()).toMatchObject({ attempts: 5, baseMs: 1000, maxMs: 600_000 })
  })

  test.each([0, -1, 1.5, 1001, Number.NaN, Infinity, '5', Object.create(null)])(
    'refuses a number of attempts that cannot be made (%#)',
    (attempts) => {
      expect(() => retryPolicy({ attempts })).toThrow(
        expect.objectContaining({
          code: 'OPTION_INVALID',
          message: expect.stringContaining('retry.attempts'),
        }),
      )
    },
  )

  test('names the wait that is no duration', () => {
    expect(() => retryPolicy({ base: -1 })).toThrow(/retry\.base/)
    expect(() => retryPolicy({ max: Number.NaN })).toThrow(/retry\.max/)
  })
})

describe('the wait after an error', () => {
  const policy = retryPolicy({ base: '1s' })

  test('follows the backoff when nobody asks for another', () => {
    expect(waitAfter(policy, new Error('no'), 2, half)).toBe(1000)
    for (const thrown of [undefined, null, 'text', 7, Symbol('s')])
      expect(waitAfter(policy, thrown, 1, half)).toBe(500)
  })

  test('is the one that on() decides, before what the error asks', () => {
    const seen: unknown[] = []
    const on = (error: unknown, attempt: number): { after: '2m' } => {
      seen.push(error, attempt)
      return { after: '2m' }
    }
    const error = { retryAfter: '1h' }
    expect(waitAfter(retryPolicy({ on }), error, 3, half)).toBe(120_000)
    expect(seen).toEqual([error, 3])
  })

  test('is none when on() discards', () => {
    expect(waitAfter(retryPolicy({ on: () => 'discard' }), new Error('no'), 1, half)).toBeUndefined()
  })

  test('follows the rest of the policy when on() leaves it open', () => {
    const open = retryPolicy({ on: () => undefined })
    expect(waitAfter(open, { retryAfter: 3000 }, 1, half)).toBe(3000)
    expect(waitAfter(open, new Error('no'), 1, half)).toBe(500)
  })

  test('is what the error asks: retryAfter, then retryAfterMs', () => {
    expect(waitAfter(policy, { retryAfter: '30s', retryAfterMs: 5 }, 1, half)).toBe(30_000)
    expect(waitAfter(policy, Object.assign(new Error('no'), { retryAfterMs: 250 }), 1, half)).toBe(250)
    expect(waitAfter(policy, { retryAfter: 0 }, 1, half)).toBe(0)
  })

  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  test.each<[string, unknown]>([
    ['a negative wait', { retryAfter: -1 }],
    ['NaN', { retryAfterMs: Number.NaN }],
    ['an endless wait', { retryAfterMs: Number.MAX_VALUE }],
    ['a date', { retryAfter: 'Wed, 21 Oct 2026 07:28:00 GMT' }],
    ['an object', { retryAfter: Object.create(null) }],
    ['a bigint', { retryAfterMs: 10n }],
    [
      'a getter that throws',
      {
        get retryAfter() {
          throw new Error('hostile')
        },
      },
    ],
    ['a revoked proxy', revoked.proxy],
  ])('is the backoff when the error asks with %s', (_, error) => {
    expect(waitAfter(policy, error, 1, half)).toBe(500)
  })
})
