import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Decision, Memory, Plan } from './policy.ts'
import { decide, noMemory } from './policy.ts'

interface Flow {
  /** Jobs a second. */
  readonly rate: (second: number) => number
  readonly runMs: (second: number) => number
  /** Jobs that what they call serves at once. */
  readonly capacity?: (second: number) => number
  /** The most jobs that one worker ends in a second, however short they are. */
  readonly most?: number
}

/** Workers that do as they are told, on jobs that flow like water: no chance is in it. */
function follow(plan: Plan, flow: Flow, seconds: number): Decision[] {
  const startMs = plan.startMs ?? 2000
  let memory: Memory = noMemory
  let [workers, came, ended, ready] = [plan.min, 0, 0, 0]
  let starting: { readonly at: number; readonly count: number }[] = []
  return Array.from({ length: seconds }, (_, second) => {
    const at = second * 1000
    workers += starting.filter((one) => one.at <= at).reduce((sum, { count }) => sum + count, 0)
    starting = starting.filter((one) => one.at > at)
    const capacity = flow.capacity?.(second) ?? Number.POSITIVE_INFINITY
    const rate = flow.rate(second)
    const most = (flow.most ?? 1e9) * workers
    const wanted =
      ready + rate > most
        ? workers * plan.slots
        : Math.min(workers * plan.slots, ready + (rate * flow.runMs(second)) / 1000)
    const runMs = flow.runMs(second) * Math.max(1, wanted / capacity)
    const ends = Math.min(ready + rate, (wanted * 1000) / runMs, most)
    came += rate
    ended += ends
    ready = Math.max(0, came - ended)
    const isWaiting = ready >= 1
    const answer = decide(plan, memory, {
      at,
      ready: isWaiting ? Math.round(ready) : 0,
      running: Math.round(isWaiting && wanted >= workers * plan.slots ? wanted : (ends * runMs) / 1000),
      dueSoon: 0,
      oldestAgeMs: isWaiting ? (ready / Math.max(ends, rate)) * 1000 : null,
      accepted: Math.round(came),
      ended: Math.round(ended),
      failed: 0,
      runMs,
      workers,
      starting: starting.reduce((sum, { count }) => sum + count, 0),
    })
    memory = answer.memory
    const change = answer.decision.workers - workers - starting.reduce((sum, { count }) => sum + count, 0)
    if (change > 0) starting.push({ at: at + startMs, count: change })
    if (change < 0) {
      starting = []
      workers = answer.decision.workers
    }
    return answer.decision
  })
}

const plan: Plan = { min: 1, max: 100, slots: 1, targetAgeMs: 10_000, startMs: 5000 }

describe('at a load that does not change', () => {
  const steady = fc.record({
    rate: fc.integer({ min: 1, max: 400 }),
    runMs: fc.integer({ min: 10, max: 4000 }),
    slots: fc.integer({ min: 1, max: 20 }),
    startMs: fc.integer({ min: 500, max: 5000 }),
  })

  test('there are soon as many workers as it takes and not many more, and the number does not swing', () => {
    fc.assert(
      fc.property(steady, ({ rate, runMs, slots, startMs }) => {
        const needed = (rate * runMs) / 1000 / slots
        fc.pre(needed < 80)
        const decisions = follow({ ...plan, slots, startMs }, { rate: () => rate, runMs: () => runMs }, 400)
        const late = decisions.slice(200).map(({ workers }) => workers)
        expect(Math.min(...late)).toBeGreaterThanOrEqual(Math.floor(needed * 0.95))
        expect(Math.max(...late)).toBeLessThanOrEqual(Math.ceil(needed * 1.15) + 3)
        const turns = late.slice(1).filter((one, nth) => one !== late[nth])
        expect(turns.length).toBeLessThanOrEqual(3)
      }),
      { numRuns: 60 },
    )
  })

  test('what had grown for a surge is retired after it, slowly, and never below what is needed', () => {
    const rate = (second: number): number => (second >= 100 && second < 200 ? 40 : 8)
    const decisions = follow(plan, { rate, runMs: () => 1000 }, 400)
    const workers = decisions.map((one) => one.workers)
    expect(Math.max(...workers.slice(100, 200))).toBeGreaterThanOrEqual(40)
    expect(Math.max(...workers)).toBeLessThanOrEqual(60)
    expect(workers.at(-1)).toBeLessThanOrEqual(11)
    expect(decisions[205]?.reason).toBe('linger')
    for (const [nth, one] of workers.entries()) {
      const before = workers[nth - 1] ?? 0
      expect(one).toBeGreaterThanOrEqual(Math.min(before, 8, Math.ceil(before * 0.75) - 1))
      if (nth > 50) expect(one).toBeGreaterThanOrEqual(8)
    }
  })
})

describe('when what the jobs call is the bottleneck', () => {
  const rate = (): number => 20
  const capacity = (second: number): number => (second >= 100 && second < 700 ? 8 : 1000)
  const decisions = follow(plan, { rate, runMs: () => 1000, capacity }, 900)

  test('growth is taken back and told as downstream', () => {
    const during = decisions.slice(100, 700)
    expect(during.map(({ reason }) => reason)).toContain('downstream')
    const held = during.filter(({ reason }) => reason === 'downstream').map(({ workers }) => workers)
    expect(Math.max(...held)).toBeLessThanOrEqual(35)
  })

  test('it grows again once that is over, works off what waits, and ends where it began', () => {
    const after = decisions.slice(700).map(({ workers }) => workers)
    expect(Math.max(...after.slice(0, 40))).toBeGreaterThanOrEqual(60)
    expect(after.at(-1)).toBeLessThanOrEqual(26)
  })
})

test('jobs that take longer by themselves are not taken for a bottleneck for long', () => {
  const runMs = (second: number): number => (second < 100 ? 1000 : 3000)
  const decisions = follow(plan, { rate: () => 15, runMs }, 250)
  expect(decisions.slice(150).every(({ workers }) => workers >= 45)).toBe(true)
})

test('jobs that are shorter than what it takes to claim and settle them are reckoned with as they are ended', () => {
  const short: Plan = { ...plan, slots: 10 }
  const decisions = follow(short, { rate: () => 2000, runMs: () => 0.5, most: 400 }, 200)
  expect(decisions.slice(60).every(({ workers }) => workers >= 5 && workers <= 12)).toBe(true)
})
