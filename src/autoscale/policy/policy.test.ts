import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Decision, Memory, Plan } from './policy.ts'
import { decide, noMemory } from './policy.ts'
import type { Reading } from './reading.ts'

const plan: Plan = { min: 1, max: 50, slots: 1, targetAgeMs: 10_000, startMs: 5000 }

const calm: Reading = {
  at: 0,
  ready: 0,
  running: 0,
  dueSoon: 0,
  oldestAgeMs: null,
  accepted: 0,
  ended: 0,
  failed: 0,
  runMs: null,
  workers: 1,
  starting: 0,
}

/** What is decided on readings in turn. */
function decideAll(ofPlan: Plan, readings: readonly (Reading | undefined)[]): Decision[] {
  let memory: Memory = noMemory
  return readings.map((reading) => {
    const answer = decide(ofPlan, memory, reading)
    memory = answer.memory
    return answer.decision
  })
}

const count = fc.option(fc.integer({ min: 0, max: 1e6 }), { nil: null })
const anyReading = fc.record<Reading>({
  at: fc.constant(0),
  ready: count,
  running: count,
  dueSoon: count,
  oldestAgeMs: fc.option(fc.integer({ min: 0, max: 1e8 }), { nil: null }),
  accepted: count,
  ended: count,
  failed: count,
  runMs: fc.option(fc.double({ min: 0, max: 1e7, noNaN: true }), { nil: null }),
  workers: fc.integer({ min: 0, max: 100 }),
  starting: fc.integer({ min: 0, max: 100 }),
})
const anyReadings = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 0, max: 40_000 }),
      reading: fc.option(anyReading, { nil: undefined, freq: 8 }),
    }),
    { maxLength: 40 },
  )
  .map((all) => {
    let at = 0
    return all.map(({ gap, reading }) => {
      at += gap
      return reading && { ...reading, at }
    })
  })
const anyPlan = fc
  .record({
    min: fc.integer({ min: 0, max: 10 }),
    more: fc.integer({ min: 0, max: 90 }),
    slots: fc.integer({ min: 1, max: 100 }),
    targetAgeMs: fc.integer({ min: 1, max: 600_000 }),
    startMs: fc.integer({ min: 0, max: 60_000 }),
  })
  .map(({ min, more, ...rest }): Plan => ({ min, max: min + more, ...rest }))

describe('whatever is read', () => {
  test('the answer is a whole number from min to max with a sentence of real figures', () => {
    fc.assert(
      fc.property(anyPlan, anyReadings, (ofPlan, readings) => {
        for (const { workers, text } of decideAll(ofPlan, readings)) {
          expect(Number.isInteger(workers)).toBe(true)
          expect(workers >= ofPlan.min && workers <= ofPlan.max).toBe(true)
          expect(text).not.toMatch(/NaN|Infinity|undefined|null|-\d/)
        }
      }),
    )
  })

  test('the memory is plain data: stored as JSON in between, the decisions are the same', () => {
    fc.assert(
      fc.property(anyPlan, anyReadings, (ofPlan, readings) => {
        let memory: Memory = noMemory
        const stored = readings.map((reading) => {
          const answer = decide(ofPlan, memory, reading)
          memory = JSON.parse(JSON.stringify(answer.memory)) as Memory
          return answer.decision
        })
        expect(stored).toEqual(decideAll(ofPlan, readings))
      }),
    )
  })

  test('nothing is retired while a job is old, but for growth that did not help', () => {
    fc.assert(
      fc.property(anyPlan, anyReadings, (ofPlan, readings) => {
        const decisions = decideAll(ofPlan, readings)
        for (const [nth, { workers, reason }] of decisions.entries()) {
          const reading = readings[nth]
          const before = decisions[nth - 1]?.workers ?? ofPlan.max
          const isOld = (reading?.ready ?? 0) > 0 && (reading?.oldestAgeMs ?? 0) > ofPlan.targetAgeMs / 2
          if (isOld && nth > 0 && reason !== 'downstream') expect(workers).toBeGreaterThanOrEqual(before)
        }
      }),
    )
  })

  test('a reading that cannot be taken retires nobody', () => {
    fc.assert(
      fc.property(anyPlan, anyReadings, fc.integer({ min: 1, max: 60 }), (ofPlan, readings, blind) => {
        const decisions = decideAll(ofPlan, [...readings, ...new Array<undefined>(blind).fill(undefined)])
        const after = decisions.slice(readings.length)
        const before = decisions[readings.length - 1]?.workers ?? 0
        for (const { workers, reason } of after) {
          expect(workers).toBeGreaterThanOrEqual(before)
          expect(reason).toBe('blind')
        }
      }),
    )
  })

  test('there is no worker only where nothing is ready, running or scheduled for certain', () => {
    fc.assert(
      fc.property(anyReadings, (readings) => {
        const decisions = decideAll({ ...plan, min: 0 }, readings)
        for (const [nth, { workers }] of decisions.entries()) {
          const reading = readings[nth]
          if (workers > 0 || reading === undefined || reading.ready === null) continue
          expect([reading.ready, reading.running, reading.dueSoon]).toEqual([0, 0, 0])
        }
      }),
    )
  })

  test('there are at most twice as many a second later', () => {
    fc.assert(
      fc.property(fc.array(anyReading, { minLength: 2, maxLength: 30 }), (readings) => {
        const known = readings.map((reading, nth) => ({
          ...reading,
          at: nth * 1000,
          ready: reading.ready ?? 7,
        }))
        const decisions = decideAll({ ...plan, min: 0 }, known)
        for (const [nth, { workers }] of decisions.entries())
          if (nth > 0)
            expect(workers).toBeLessThanOrEqual(Math.max(1, 2 * (decisions[nth - 1]?.workers ?? 0)))
      }),
    )
  })
})

describe('what holds it', () => {
  /** A backlog that no worker gets at. */
  const backlog = (nth: number): Reading => ({
    ...calm,
    at: nth * 1000,
    ready: 1000 + 20 * nth,
    running: 1,
    oldestAgeMs: 20_000 + nth * 1000,
    accepted: 1001 + 21 * nth,
    ended: nth,
    runMs: 1000,
  })

  test('without anything in the way it grows to max and says so', () => {
    const decisions = decideAll(
      plan,
      Array.from({ length: 12 }, (_, nth) => backlog(nth)),
    )
    expect(decisions.map(({ workers }) => workers).slice(0, 6)).toEqual([2, 4, 8, 16, 32, 50])
    expect(decisions[0]?.reason).toBe('age')
    expect(decisions.at(-1)).toMatchObject({ workers: 50, reason: 'limit' })
  })

  test('a full host', () => {
    for (const host of [
      { cpu: 0.9, memory: 0.1 },
      { cpu: 0.1, memory: 0.9 },
    ]) {
      const [decision] = decideAll(plan, [{ ...backlog(0), host }])
      expect(decision).toMatchObject({ workers: 1, reason: 'host' })
    }
  })

  test('attempts of which most fail', () => {
    const failing = (nth: number): Reading => ({ ...backlog(nth), ended: 100 * nth, failed: 60 * nth })
    expect(decideAll(plan, [failing(0), failing(1)]).at(-1)).toMatchObject({ workers: 2, reason: 'failures' })
    const some = (nth: number): Reading => ({ ...backlog(nth), ended: 100 * nth, failed: 40 * nth })
    expect(decideAll(plan, [some(0), some(1)]).at(-1)?.reason).toBe('age')
  })

  test('a fallback, when nothing could be read for long', () => {
    const readings = [backlog(0), ...new Array<undefined>(30).fill(undefined)]
    const decisions = decideAll({ ...plan, fallback: 12 }, readings)
    expect(decisions.at(-2)?.reason).toBe('blind')
    expect(decisions.at(-1)).toMatchObject({ workers: 12, reason: 'fallback' })
  })

  test('scheduled jobs, and those of which nothing is known, keep the last worker', () => {
    const still = (dueSoon: number | null): Reading[] =>
      Array.from({ length: 60 }, (_, nth) => ({ ...calm, at: nth * 1000, dueSoon }))
    expect(decideAll({ ...plan, min: 0 }, still(3)).at(-1)).toMatchObject({ workers: 1, reason: 'due' })
    expect(decideAll({ ...plan, min: 0 }, still(null)).at(-1)).toMatchObject({ workers: 1, reason: 'due' })
    const none = decideAll({ ...plan, min: 0 }, still(0))
    expect(none.find(({ reason }) => reason === 'idle')?.workers).toBe(0)
    expect(none.at(-1)).toMatchObject({ workers: 0, reason: 'steady' })
  })
})
