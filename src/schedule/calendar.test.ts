import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Calendar } from './calendar.ts'
import { calendarOf, checkCron } from './calendar.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE

/** Changes of the clocks, and a day without one. */
const changes: readonly (readonly [zone: string, at: string])[] = [
  ['Europe/Berlin', '2030-03-31T01:00Z'],
  ['Europe/Berlin', '2030-10-27T01:00Z'],
  ['America/New_York', '2030-03-10T07:00Z'],
  ['America/New_York', '2030-11-03T06:00Z'],
  ['Australia/Lord_Howe', '2030-04-06T15:00Z'],
  ['Australia/Lord_Howe', '2030-10-05T15:30Z'],
  ['America/Sao_Paulo', '2018-11-04T03:00Z'],
  ['UTC', '2030-01-01T00:00Z'],
]

interface Wall {
  readonly at: number
  readonly date: string
  readonly hour: number
  readonly minute: number
}

/** What a clock on the wall shows at every minute of a window, by Intl alone. */
function wallClock(zone: string, from: number, to: number): Wall[] {
  const format = new Intl.DateTimeFormat('en-CA', {
    timeZone: zone,
    dateStyle: 'short',
    timeStyle: 'short',
    hourCycle: 'h23',
  })
  const shown: Wall[] = []
  for (let at = from; at <= to; at += MINUTE) {
    const [date = '', time = ''] = format.format(at).split(', ')
    const [hour = 0, minute = 0] = time.split(':').map(Number)
    shown.push({ at, date, hour, minute })
  }
  return shown
}

function ticksOf(calendar: Calendar, from: number, to: number): number[] {
  const ticks: number[] = []
  for (let tick = calendar.next(from - 1); tick !== undefined && tick <= to; tick = calendar.next(tick))
    ticks.push(tick)
  return ticks
}

type Field = readonly [text: string, values: readonly number[]]

const upTo = (most: number): number[] => Array.from({ length: most + 1 }, (_, n) => n)

const fixed = (most: number): fc.Arbitrary<Field> =>
  fc
    .uniqueArray(fc.integer({ min: 0, max: most }), { minLength: 1, maxLength: 3 })
    .map((values) => [values.join(','), values])

const wild = (most: number): fc.Arbitrary<Field> =>
  fc.oneof(
    fc.constant<Field>(['*', upTo(most)]),
    fc
      .integer({ min: 1, max: most })
      .map((step): Field => [`*/${step}`, upTo(most).filter((n) => n % step === 0)]),
  )

describe.each(changes)('in %s around %s', (zone, change) => {
  const middle = Date.parse(change)
  const [from, to] = [middle - 30 * HOUR, middle + 30 * HOUR]
  const wall = wallClock(zone, from - 30 * HOUR, to + 30 * HOUR)
  const calendar = (cron: string): Calendar => calendarOf(checkCron(cron, zone), 0)

  test('a time of day ticks once a day: the first of two, and at the end of the gap that has it', () => {
    fc.assert(
      fc.property(fixed(59), fixed(4), ([minutes, m], [hours, h]) => {
        const expected = new Set<number>()
        for (const date of new Set(wall.map((one) => one.date))) {
          const day = wall.filter((one) => one.date === date)
          for (const hour of h)
            for (const minute of m) {
              const exact = day.find((one) => one.hour === hour && one.minute === minute)
              const after = day.find((one) => one.hour * 60 + one.minute >= hour * 60 + minute)
              const at = (exact ?? after)?.at
              if (at !== undefined && at >= from && at <= to) expected.add(at)
            }
        }
        expect(ticksOf(calendar(`${minutes} ${hours} * * *`), from, to)).toEqual(
          [...expected].sort((a, b) => a - b),
        )
      }),
      { numRuns: 25 },
    )
  })

  test('a pattern with a star or a step ticks whenever a clock on the wall shows it: twice in a repeated hour, not in a gap', () => {
    const anyOf = fc.oneof(fc.tuple(wild(59), fc.oneof(wild(23), fixed(23))), fc.tuple(fixed(59), wild(23)))
    fc.assert(
      fc.property(anyOf, ([[minutes, m], [hours, h]]) => {
        const expected = wall.filter(
          ({ at, hour, minute }) => at >= from && at <= to && h.includes(hour) && m.includes(minute),
        )
        expect(ticksOf(calendar(`${minutes} ${hours} * * *`), from, to)).toEqual(expected.map(({ at }) => at))
      }),
      { numRuns: 25 },
    )
  })

  test('the newest ticks are the last of all ticks, and whoever asks from wherever is told the same', () => {
    const field = (most: number): fc.Arbitrary<Field> => fc.oneof(wild(most), fixed(most))
    fc.assert(
      fc.property(
        field(59),
        field(4),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: from, max: to }),
        fc.integer({ min: from, max: to }),
        ([minutes], [hours], count, a, b) => {
          const one = calendar(`${minutes} ${hours} * * *`)
          const ticks = ticksOf(one, from, to)
          const [low, high] = [Math.min(a, b), Math.max(a, b)]
          const within = ticks.filter((tick) => tick >= low && tick <= high)
          expect(one.newest(count, low, high)).toEqual(within.slice(-count))
          const next = ticks.find((tick) => tick > a)
          if (next !== undefined) expect(one.next(a)).toBe(next)
        },
      ),
      { numRuns: 25 },
    )
  })
})

test('an interval ticks at its anchor and every so often before and after it', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 1e10 }),
      fc.integer({ min: 0, max: 2e12 }),
      fc.integer({ min: 0, max: 2e12 }),
      fc.integer({ min: 1, max: 20 }),
      (everyMs, anchor, now, count) => {
        const calendar = calendarOf({ everyMs }, anchor)
        const next = calendar.next(now) ?? Number.NaN
        expect(next).toBeGreaterThan(now)
        expect(next - everyMs).toBeLessThanOrEqual(now)
        expect((next - anchor) % everyMs).toBeCloseTo(0)
        const newest = calendar.newest(count, next - 3 * everyMs, now)
        const expected = [next - 3 * everyMs, next - 2 * everyMs, next - everyMs]
        expect(newest).toEqual(expected.slice(-count))
      },
    ),
  )
})

describe('a cron expression', () => {
  const next = (cron: string, after: string, zone = 'UTC'): string | undefined => {
    const tick = calendarOf(checkCron(cron, zone), 0).next(Date.parse(after))
    return tick === undefined ? undefined : new Date(tick).toISOString()
  }

  test.each([
    ['0 3 * * *', '2030-01-01T03:00:00.000Z'],
    ['  0   3 * * *  ', '2030-01-01T03:00:00.000Z'],
    ['*/20 * * * * *', '2030-01-01T00:00:20.000Z'],
    ['0 0 L * *', '2030-01-31T00:00:00.000Z'],
    ['0 0 LW * *', '2030-01-31T00:00:00.000Z'],
    ['0 0 * * 5L', '2030-01-25T00:00:00.000Z'],
    ['0 0 * * MON#2', '2030-01-14T00:00:00.000Z'],
    ['0 0 15W * *', '2030-01-15T00:00:00.000Z'],
    ['0 0 29 2 *', '2032-02-29T00:00:00.000Z'],
    ['0 0 * jan-mar sun', '2030-01-06T00:00:00.000Z'],
    ['@daily', '2030-01-02T00:00:00.000Z'],
    ['@Hourly', '2030-01-01T01:00:00.000Z'],
  ])('%s is read', (cron, tick) => {
    expect(next(cron, '2030-01-01T00:00:00Z')).toBe(tick)
  })

  test.each([
    ['', 'cannot be read'],
    [' ', 'cannot be read'],
    ['* * * *', 'cannot be read'],
    ['0 0 0 1 1 * 2030', 'cannot be read'],
    ['60 * * * *', 'Invalid value for minute: 60'],
    ['* * * * MOND', 'cannot be read'],
    ['5/5 * * * *', 'stepping'],
    ['@reboot', 'cannot be read'],
    ['2030-01-01T00:00:00', 'cannot be read'],
    [`${'1,'.repeat(300)}1 * * * *`, 'cannot be read'],
    ['__proto__ * * * *', 'cannot be read'],
    ['0 0 31 2 *', 'never ticks'],
    ['0 0 31 4,6,9,11 *', 'never ticks'],
  ])('%s is refused', (cron, message) => {
    expect(() => checkCron(cron, 'UTC')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    )
  })

  test.each([undefined, null, 5, {}, []])('that is %s is refused', (cron) => {
    expect(() => checkCron(cron as unknown as string, 'UTC')).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
  })

  test.each(['Mars/Phobos', '', '__proto__', 'GMT+25', 60 as unknown as string])(
    'is refused in the time zone %s',
    (zone) => {
      expect(() => checkCron('0 3 * * *', zone)).toThrow(
        expect.objectContaining({
          code: 'OPTION_INVALID',
          message: expect.stringContaining('Europe/Berlin'),
        }),
      )
    },
  )
})
