import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { toMs } from './duration.ts'

describe('a duration', () => {
  test.each([
    [0, 0],
    [250, 250],
    ['500ms', 500],
    ['30s', 30_000],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['7d', 604_800_000],
    ['1.5s', 1500],
    ['0.5d', 43_200_000],
    ['0s', 0],
    ['36525d', 3_155_760_000_000],
  ] as const)('%s is %d ms', (duration, ms) => {
    expect(toMs(duration, 'delay')).toBe(ms)
  })

  test('is rounded to whole milliseconds', () => {
    expect(toMs('1.001s', 'delay')).toBe(1001)
    expect(toMs(1.5, 'delay')).toBe(2)
  })

  test.each([
    -1,
    Number.NaN,
    Infinity,
    Number.MAX_SAFE_INTEGER,
    '36526d',
    `${'9'.repeat(400)}d`,
    '',
    '30',
    's',
    '30 s',
    ' 30s',
    '30s\n',
    '-1s',
    '1e3s',
    '.5s',
    '1.s',
    '30S',
    '1w',
    '1s1s',
    '٣s',
    'constructor',
    null,
    undefined,
    true,
    5n,
    Symbol('s'),
    {},
    [],
    ['30s'],
    Object.create(null),
    new Date(0),
  ])('is refused when it is none, naming the option (%#)', (value) => {
    expect(() => toMs(value as number, 'limits.timeout')).toThrow(
      expect.objectContaining({
        code: 'OPTION_INVALID',
        message: expect.stringMatching(/^limits\.timeout must be /),
      }),
    )
  })

  test('is whole and bounded, or refused, whatever the text', () => {
    const text = fc.tuple(
      fc.oneof(fc.nat().map(String), fc.string()),
      fc.constantFrom('ms', 's', 'm', 'h', 'd', ''),
    )
    fc.assert(
      fc.property(text, ([amount, unit]) => {
        try {
          expect(Number.isSafeInteger(toMs(`${amount}${unit}` as '1s', 'delay'))).toBe(true)
        } catch (error) {
          expect(error).toMatchObject({ code: 'OPTION_INVALID' })
        }
      }),
    )
  })
})
