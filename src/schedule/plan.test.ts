import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { calendarOf } from './calendar.ts'
import type { CatchUp, Question } from './plan.ts'
import { LATE_MS, placeAnew, plan } from './plan.ts'

const MINUTE = 60_000
const HOUR = 60 * MINUTE
const hourly = calendarOf({ everyMs: HOUR }, 0)

const ask = (more: Partial<Question>): ReturnType<typeof plan> =>
  plan({ calendar: hourly, catchUp: 'one', overlap: 'allow', dueAt: HOUR, now: HOUR, most: 1000, ...more })

describe('a tick', () => {
  test('that is due runs, and the next is looked at next', () => {
    expect(ask({})).toEqual({ ticks: [HOUR], dueAt: 2 * HOUR })
  })

  test('up to a minute old is on time whatever is said of late ones', () => {
    for (const catchUp of ['skip', 'one', { all: 5 }] as const)
      expect(ask({ catchUp, now: HOUR + LATE_MS })).toEqual({ ticks: [HOUR], dueAt: 2 * HOUR })
  })

  test('that is older is late: skipped, run once, or run as often as was asked', () => {
    const now = 5 * HOUR + 2 * MINUTE
    expect(ask({ now, catchUp: 'skip' })).toEqual({ ticks: [], dueAt: 6 * HOUR })
    expect(ask({ now, catchUp: 'one' })).toEqual({ ticks: [5 * HOUR], dueAt: 6 * HOUR })
    expect(ask({ now, catchUp: { all: 3 } })).toEqual({
      ticks: [3, 4, 5].map((n) => n * HOUR),
      dueAt: 6 * HOUR,
    })
    expect(ask({ now, catchUp: { all: 99 } }).ticks).toHaveLength(5)
  })

  test('on time makes up for the late ones before it', () => {
    const now = 5 * HOUR + 1000
    expect(ask({ now, catchUp: 'one' })).toEqual({ ticks: [5 * HOUR], dueAt: 6 * HOUR })
    expect(ask({ now, catchUp: 'skip' })).toEqual({ ticks: [5 * HOUR], dueAt: 6 * HOUR })
    expect(ask({ now, catchUp: { all: 2 } }).ticks).toEqual([3, 4, 5].map((n) => n * HOUR))
  })

  test('is the newest alone where jobs must not overlap', () => {
    const now = 5 * HOUR + 1000
    expect(ask({ now, catchUp: { all: 9 }, overlap: 'skip' })).toEqual({ ticks: [5 * HOUR], dueAt: 6 * HOUR })
    expect(ask({ now, catchUp: { all: 9 }, overlap: 'wait' }).ticks).toHaveLength(5)
  })

  test('of very many is left for the next look, in order', () => {
    const calendar = calendarOf({ everyMs: 10 }, 0)
    const first = plan({ calendar, catchUp: 'one', overlap: 'allow', dueAt: 10, now: 1000, most: 60 })
    expect([first.ticks.length, first.ticks.at(-1), first.dueAt]).toEqual([60, 600, 610])
    const second = plan({
      calendar,
      catchUp: 'one',
      overlap: 'allow',
      dueAt: first.dueAt ?? 0,
      now: 1000,
      most: 60,
    })
    expect([second.ticks[0], second.ticks.length, second.dueAt]).toEqual([610, 40, 1010])
  })

  test('of a year in which nobody looked is found without going through them all', () => {
    const calendar = calendarOf({ cron: '* * * * * *', timeZone: 'Europe/Berlin' }, 0)
    const now = Date.UTC(2031, 0, 1)
    const { ticks, dueAt } = plan({
      calendar,
      catchUp: { all: 2 },
      overlap: 'allow',
      dueAt: Date.UTC(2030, 0, 1),
      now,
      most: 1000,
    })
    expect(ticks).toHaveLength(2 + 61)
    expect([ticks[0], ticks.at(-1), dueAt]).toEqual([now - LATE_MS - 2000, now, now + 1000])
  })
})

test('whenever they look, lookers in turn run every tick once, in order, while none is late', () => {
  fc.assert(
    fc.property(
      fc.constantFrom('*/7 * * * * *', '* * * * *', '30 2 * * *', '15,45 */2 * * *'),
      fc.constantFrom('Europe/Berlin', 'America/New_York', 'Australia/Lord_Howe'),
      fc.constantFrom(Date.UTC(2030, 2, 31, 0), Date.UTC(2030, 9, 27, 0), Date.UTC(2030, 9, 5, 14)),
      fc.array(fc.integer({ min: 1, max: LATE_MS }), { minLength: 1, maxLength: 60 }),
      fc.integer({ min: 1, max: 5 }),
      (cron, timeZone, from, steps, most) => {
        const calendar = calendarOf({ cron, timeZone }, 0)
        let dueAt = calendar.next(from)
        const ran: number[] = []
        let now = dueAt ?? 0
        for (const step of steps) {
          now += step
          while (dueAt !== undefined && dueAt <= now) {
            const next = plan({ calendar, catchUp: 'skip', overlap: 'allow', dueAt, now, most })
            ran.push(...next.ticks)
            dueAt = next.dueAt
          }
        }
        const expected: number[] = []
        for (let tick = calendar.next(from); tick !== undefined && tick <= now; tick = calendar.next(tick))
          expected.push(tick)
        const isAllOnTime = steps.every((step) => step < LATE_MS)
        if (isAllOnTime) expect(ran).toEqual(expected)
        else expect(expected).toEqual(expect.arrayContaining(ran))
      },
    ),
  )
})

test('a plan has no tick of the future, none before it was due, none twice, and goes on after now or where it stopped', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: 2 * HOUR }),
      fc.integer({ min: 0, max: 1e9 }),
      fc.integer({ min: 0, max: 1e8 }),
      fc.constantFrom<CatchUp>('skip', 'one', { all: 3 }, { all: 1000 }),
      fc.constantFrom('allow', 'skip', 'wait'),
      fc.integer({ min: 1, max: 1000 }),
      (everyMs, start, ago, catchUp, overlap, most) => {
        const calendar = calendarOf({ everyMs }, 0)
        const dueAt = calendar.next(start) ?? 0
        const now = dueAt + ago
        const next = plan({ calendar, catchUp, overlap, dueAt, now, most })
        expect([...new Set(next.ticks)].sort((a, b) => a - b)).toEqual(next.ticks)
        for (const tick of next.ticks) expect(tick >= dueAt && tick <= now && tick % everyMs === 0).toBe(true)
        const last = next.ticks.at(-1) ?? dueAt
        expect(next.dueAt).toBeGreaterThan(last - 1)
        const isCut = next.dueAt !== undefined && next.dueAt <= now
        if (isCut) expect(next.dueAt).toBe(last + everyMs)
        else expect(next.dueAt).toBe(calendar.next(now))
        if (ago > LATE_MS + everyMs && catchUp === 'one') expect(next.ticks.length).toBeGreaterThan(0)
      },
    ),
  )
})

describe('a schedule that was placed while the clock was ahead', () => {
  test('is placed anew where its calendar says', () => {
    expect(placeAnew(hourly, 8 * HOUR, 2 * HOUR + 5)).toBe(3 * HOUR)
    expect(placeAnew(calendarOf({ everyMs: HOUR }, 999 * HOUR + 7), 1000 * HOUR + 7, 0)).toBe(7)
  })

  test('stays where it stands when that is right, or due', () => {
    expect(placeAnew(hourly, 3 * HOUR, 2 * HOUR + 5)).toBeUndefined()
    expect(placeAnew(hourly, HOUR, 2 * HOUR + 5)).toBeUndefined()
  })
})
