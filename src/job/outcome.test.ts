import { describe, expect, test } from 'vitest'
import { discard, outcomeType, retry, snooze } from './outcome.ts'

describe('an outcome', () => {
  test('is told from a result', () => {
    expect(outcomeType(retry())).toBe('retry')
    expect(outcomeType(snooze('1m'))).toBe('snooze')
    expect(outcomeType(discard('gone'))).toBe('discard')
  })

  const revoked = Proxy.revocable({}, {})
  revoked.revoke()
  test.each<[string, unknown]>([
    ['nothing', undefined],
    ['null', null],
    ['a text', 'retry'],
    ['an object that looks like one', { type: 'retry', afterMs: 1 }],
    ['one that went through JSON', JSON.parse(JSON.stringify(retry()))],
    ['a function', retry],
    ['a revoked proxy', revoked.proxy],
  ])('is not %s', (_, value) => {
    expect(outcomeType(value)).toBeUndefined()
  })

  test('carries its wait in milliseconds and its reason', () => {
    expect(retry({ after: '2s', reason: 'busy' })).toMatchObject({ afterMs: 2000, reason: 'busy' })
    expect(retry()).toMatchObject({ afterMs: undefined, reason: undefined })
    expect(snooze('1m')).toMatchObject({ afterMs: 60_000 })
    expect(discard('gone')).toMatchObject({ reason: 'gone' })
  })

  test('refuses a wait that is no duration, and a snooze of no time', () => {
    const invalid = expect.objectContaining({ code: 'OPTION_INVALID' })
    expect(() => retry({ after: -1 })).toThrow(invalid)
    expect(() => snooze(Number.NaN)).toThrow(invalid)
    expect(() => snooze(0)).toThrow(invalid)
    expect(() => snooze('0.4ms')).toThrow(invalid)
  })
})
