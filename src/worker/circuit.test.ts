import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { CircuitState } from './circuit.ts'
import { afterEnd, afterTime, circuitPlan, closedAt, most } from './circuit.ts'

const plan = circuitPlan({ failures: 0.5, least: 4, window: 1000, probe: 100 })

/** The state after ends at these instants, `x` a failure. */
function after(ends: string, everyMs = 1, from: CircuitState = closedAt(0), start = 0): CircuitState {
  return [...ends].reduce((state, end, nth) => {
    const now = start + nth * everyMs
    return afterEnd(plan, afterTime(state, now), now, end === 'x')
  }, from)
}

test('failures below the share, or too few to judge by, leave it closed', () => {
  expect(after('...x.x...').type).toBe('closed')
  expect(after('xxx').type).toBe('closed')
})

test('half of the attempts failing opens it: nothing is started until the probe', () => {
  const open = after('.x.x')
  expect(open).toMatchObject({ type: 'open', until: 103 })
  expect(most(open)).toBe(0)
  expect(afterTime(open, 102).type).toBe('open')
  expect(most(afterTime(open, 103))).toBe(1)
})

test('failures that are older than the window count no more', () => {
  const old = after('xxx')
  expect(afterEnd(plan, old, 5000, true).type).toBe('closed')
})

test('a probe that ends well closes it, and what failed before is forgotten', () => {
  const probing = afterTime(after('xxxx'), 1000)
  const closed = afterEnd(plan, probing, 1001, false)
  expect(most(closed)).toBe(Number.POSITIVE_INFINITY)
  expect(afterEnd(plan, closed, 1002, true).type).toBe('closed')
})

test('each probe that fails doubles the wait, sixteen times at most', () => {
  let state = after('xxxx')
  const waits: number[] = []
  for (let nth = 0; nth < 7; nth++) {
    if (state.type !== 'open') throw new Error(state.type)
    const now = state.until
    state = afterEnd(plan, afterTime(state, now), now, true)
    if (state.type === 'open') waits.push(state.until - now)
  }
  expect(waits).toEqual([200, 400, 800, 1600, 1600, 1600, 1600])
})

test('a job that was running when it opened changes nothing', () => {
  const open = after('xxxx')
  expect(afterEnd(plan, open, 50, false)).toBe(open)
})

test('whatever happens, it is never open for longer than sixteen probes, and work that only succeeds closes it', () => {
  const end = fc.record({ passed: fc.integer({ min: 0, max: 3000 }), isFailure: fc.boolean() })
  fc.assert(
    fc.property(fc.array(end, { maxLength: 200 }), (ends) => {
      let [state, now]: [CircuitState, number] = [closedAt(0), 0]
      for (const { passed, isFailure } of ends) {
        now += passed
        state = afterEnd(plan, afterTime(state, now), now, isFailure)
        if (state.type === 'open') expect(state.until - now).toBeLessThanOrEqual(1600)
      }
      for (let nth = 0; nth < 10; nth++) {
        now += 1600
        state = afterEnd(plan, afterTime(state, now), now, false)
      }
      expect(state.type).toBe('closed')
    }),
  )
})

test('options that cannot be used are refused', () => {
  for (const options of [
    { failures: 0 },
    { failures: 1.1 },
    { failures: Number.NaN },
    { least: 0 },
    { window: '1x' as '1s' },
  ])
    expect(() => circuitPlan(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})
