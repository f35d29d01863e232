import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Pulse, SlotRange, SlotsDecision, SlotsMemory } from './concurrency.ts'
import { decideSlots, noSlotsMemory } from './concurrency.ts'

const range: SlotRange = { min: 5, max: 100 }

function decideAll(ofRange: SlotRange, pulses: readonly Pulse[]): SlotsDecision[] {
  let memory: SlotsMemory = noSlotsMemory
  return pulses.map((pulse) => {
    const answer = decideSlots(ofRange, memory, pulse)
    memory = answer.memory
    return answer.decision
  })
}

interface Process {
  /** Jobs that come in a second. */
  readonly rate: number
  readonly runMs: number
  /** Calls that what they call serves at once. */
  readonly capacity?: number
  readonly over?: (second: number) => Partial<Pulse>
}

/** A process that does as it is told, second by second; what cannot run waits. */
function follow(
  ofRange: SlotRange,
  { rate, runMs, capacity = 1e9, over }: Process,
  seconds: number,
): SlotsDecision[] {
  let memory: SlotsMemory = noSlotsMemory
  let [slots, ended, waiting] = [ofRange.min, 0, 0]
  return Array.from({ length: seconds }, (_, second) => {
    const atOnce = Math.min(slots, ((waiting + rate) * runMs) / 1000)
    const ranMs = runMs * Math.max(1, atOnce / capacity)
    const ends = Math.min(waiting + rate, (atOnce * 1000) / ranMs)
    waiting += rate - ends
    ended += ends
    const answer = decideSlots(ofRange, memory, {
      at: (second + 1) * 1000,
      running: Math.round(atOnce),
      occupied: atOnce / slots,
      ended: Math.round(ended),
      failed: 0,
      runMs: ranMs,
      loopMs: 0,
      cpu: 0.2,
      memory: 0.2,
      ...over?.(second),
    })
    memory = answer.memory
    slots = answer.decision.slots
    return answer.decision
  })
}

const part = fc.double({ min: 0, max: 1, noNaN: true })
const anyPulses = fc
  .array(
    fc.record({
      gap: fc.integer({ min: 0, max: 20_000 }),
      running: fc.nat(200),
      occupied: part,
      ends: fc.nat(1000),
      failures: part,
      runMs: fc.option(fc.double({ min: 0, max: 1e6, noNaN: true }), { nil: null }),
      loopMs: fc.double({ min: 0, max: 1e4, noNaN: true }),
      cpu: part,
      memory: part,
    }),
    { maxLength: 60 },
  )
  .map((all) => {
    let [at, ended, failed] = [0, 0, 0]
    return all.map(({ gap, ends, failures, ...rest }): Pulse => {
      at += gap
      ended += ends
      failed += Math.floor(ends * failures)
      return { ...rest, at, ended, failed }
    })
  })
const anyRange = fc
  .record({ min: fc.integer({ min: 1, max: 50 }), more: fc.nat(500) })
  .map(({ min, more }): SlotRange => ({ min, max: min + more }))

describe('whatever is measured', () => {
  test('the slots are a whole number from min to max, with a sentence of real figures', () => {
    fc.assert(
      fc.property(anyRange, anyPulses, (ofRange, pulses) => {
        for (const { slots, text } of decideAll(ofRange, pulses)) {
          expect(Number.isInteger(slots)).toBe(true)
          expect(slots >= ofRange.min && slots <= ofRange.max).toBe(true)
          expect(text).not.toMatch(/NaN|Infinity|undefined|null|-\d/)
        }
      }),
    )
  })

  test('there are never more while the event loop is late, busy, or memory is short', () => {
    fc.assert(
      fc.property(anyRange, anyPulses, (ofRange, pulses) => {
        const decisions = decideAll(ofRange, pulses)
        for (const [nth, { slots }] of decisions.entries()) {
          const pulse = pulses[nth]
          const before = decisions[nth - 1]?.slots ?? ofRange.min
          if (pulse === undefined) continue
          const isTight = (pulse.loopMs > 100 && pulse.running > 0) || pulse.cpu > 0.9 || pulse.memory > 0.9
          if (isTight) expect(slots).toBeLessThanOrEqual(before)
        }
      }),
    )
  })

  test('the memory is plain data: stored as JSON in between, the decisions are the same', () => {
    fc.assert(
      fc.property(anyRange, anyPulses, (ofRange, pulses) => {
        let memory: SlotsMemory = noSlotsMemory
        const stored = pulses.map((pulse) => {
          const answer = decideSlots(ofRange, memory, pulse)
          memory = JSON.parse(JSON.stringify(answer.memory)) as SlotsMemory
          return answer.decision
        })
        expect(stored).toEqual(decideAll(ofRange, pulses))
      }),
    )
  })
})

describe('slots', () => {
  test('grow while all are busy until enough run at once, and stay there', () => {
    fc.assert(
      fc.property(fc.integer({ min: 6, max: 80 }), fc.integer({ min: 20, max: 2000 }), (atOnce, runMs) => {
        const decisions = follow(range, { rate: (atOnce * 1000) / runMs, runMs }, 120)
        const late = decisions.slice(80).map(({ slots }) => slots)
        expect(Math.min(...late)).toBeGreaterThanOrEqual(atOnce)
        expect(Math.max(...late)).toBeLessThanOrEqual(atOnce * 2.2)
        expect(new Set(late).size).toBeLessThanOrEqual(2)
      }),
    )
  })

  test('go no further than max', () => {
    const last = follow(range, { rate: 1e4, runMs: 100 }, 60).at(-1)
    expect(last).toMatchObject({ slots: 100, reason: 'limit' })
  })

  test('are taken back where more of them only slow the jobs down', () => {
    const decisions = follow(range, { rate: 1000, runMs: 50, capacity: 5 }, 120)
    expect(Math.max(...decisions.map(({ slots }) => slots))).toBeLessThanOrEqual(15)
    expect(
      decisions.filter(({ reason, slots }) => reason === 'downstream' && slots <= 6).length,
    ).toBeGreaterThan(60)
  })

  test('are fewer while the event loop is late, and grow no more for a while after it', () => {
    const over = (second: number): Partial<Pulse> => ({ loopMs: second >= 20 && second < 23 ? 180 : 0 })
    const decisions = follow(range, { rate: 1e4, runMs: 100, over }, 40)
    const slots = decisions.map((one) => one.slots)
    expect(slots[22]).toBeLessThan((slots[19] ?? 0) / 2)
    expect(decisions[22]?.reason).toBe('loop')
    expect(decisions[28]).toMatchObject({ slots: slots[22], reason: 'loop' })
    expect(slots[39]).toBeGreaterThan(slots[22] ?? 0)
  })

  test('stay where the loop is busy, memory short, or most attempts fail', () => {
    const cpu = follow(range, { rate: 1e4, runMs: 100, over: () => ({ cpu: 0.95 }) }, 10)
    expect(cpu.at(-1)).toMatchObject({ slots: 5, reason: 'cpu' })
    const memory = follow(range, { rate: 1e4, runMs: 100, over: () => ({ memory: 0.95 }) }, 10)
    expect(memory.at(-1)).toMatchObject({ slots: 5, reason: 'memory' })
    const failing = follow(range, { rate: 50, runMs: 100, over: (second) => ({ failed: second * 40 }) }, 10)
    expect(failing.at(-1)?.reason).toBe('failures')
  })

  test('that few need are fewer after half a minute, never below min', () => {
    const calm = (at: number, occupied: number): Pulse => ({
      ...{
        at,
        occupied,
        running: 1,
        ended: at / 100,
        failed: 0,
        runMs: 100,
        loopMs: 0,
        cpu: 0.1,
        memory: 0.1,
      },
    })
    const pulses = Array.from({ length: 400 }, (_, nth) => calm(nth * 1000, nth < 20 ? 1 : 0.1))
    const decisions = decideAll(range, pulses)
    expect(decisions[19]?.slots).toBe(100)
    expect(decisions[48]?.slots).toBe(100)
    expect(decisions[51]).toMatchObject({ slots: 75 })
    expect(decisions.at(-1)?.slots).toBe(5)
  })
})
