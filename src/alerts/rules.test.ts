import { expect, test } from 'vitest'
import { depthOf } from '../../lab/depth-of.ts'
import type { Depth } from '../broker.ts'
import type { WorkerView } from '../presence/view.ts'
import type { ScheduleView } from '../schedule/schedules.ts'
import type { AlertOptions } from './options.ts'
import { planOf } from './options.ts'
import { Past } from './past.ts'
import type { Finding } from './rules.ts'
import { findingsOf } from './rules.ts'

const none = { accepted: 0, done: 0, failed: 0, dead: 0, cancelled: 0 }
const mail = (change: Partial<Depth>): Depth => depthOf('mail', { totals: none, ...change })
const serving = (queue: string, state: WorkerView['state'] = 'running'): WorkerView =>
  ({ queues: [queue], state }) as unknown as WorkerView
const served = [serving('mail')]

interface Look {
  readonly at: number
  readonly depth?: Partial<Depth>
  readonly workers?: readonly WorkerView[]
  readonly schedules?: readonly Partial<ScheduleView>[]
}

/** What is found at the last of some looks. */
function found(options: AlertOptions, ...looks: readonly Look[]): Finding[] {
  const plan = planOf(options)
  const past = new Past(plan.windowMs)
  let findings: Finding[] = []
  for (const { at, depth, workers = served, schedules = [] } of looks) {
    const queues = depth === undefined ? [] : [mail(depth)]
    past.add(queues, at)
    findings = findingsOf(plan, { at, queues, workers, schedules: schedules as ScheduleView[] }, past)
  }
  return findings
}

test('a quiet store has no alerts', () => {
  expect(found({}, { at: 0, depth: {}, schedules: [{ name: 's', paused: false, nextAt: 1 }] })).toEqual([])
})

test('a job that waits for longer than its queue allows is found, with the age and the limit', () => {
  const depth = { ready: 3, oldestAgeMs: 301_000 }
  expect(found({}, { at: 0, depth })).toMatchObject([
    {
      rule: 'backlogAge',
      subject: 'mail',
      value: 301_000,
      limit: 300_000,
      text: expect.stringContaining('3 could start'),
    },
  ])
  expect(found({ backlogAge: { mail: '10m', '*': '1s' } }, { at: 0, depth })).toEqual([])
  expect(found({ backlogAge: { other: '10m', '*': '1s' } }, { at: 0, depth })).toHaveLength(1)
  expect(found({ backlogAge: false }, { at: 0, depth })).toEqual([])
  expect(found({}, { at: 0, depth: { ...depth, paused: true } })).toEqual([])
})

test('dead letters are found, and a newer one is news', () => {
  const findings = found({}, { at: 0, depth: { dead: 2, totals: { ...none, dead: 7 } } })
  expect(findings).toMatchObject([{ rule: 'deadLetters', value: 2, news: 7 }])
  expect(found({ deadLetters: false }, { at: 0, depth: { dead: 2 } })).toEqual([])
})

test('a share of failed attempts is judged by what ended within the window, once enough did', () => {
  const at = (ms: number, done: number, failed: number): Look => ({
    at: ms,
    depth: { totals: { ...none, done, failed } },
  })
  expect(found({}, at(0, 100, 0), at(5000, 105, 5))).toEqual([])
  expect(found({}, at(0, 100, 0), at(5000, 110, 10))).toMatchObject([
    { rule: 'failures', value: 0.5, limit: 0.5 },
  ])
  expect(found({}, at(0, 100, 0), at(5000, 111, 10))).toEqual([])
  expect(found({}, at(0, 0, 0), at(5000, 0, 50), at(65_000, 20, 50), at(66_000, 20, 50))).toEqual([])
  expect(found({ failures: false }, at(0, 0, 0), at(5000, 0, 50))).toEqual([])
})

test('a queue that nobody serves is found when that has lasted, and not while it is paused or empty', () => {
  const depth = { ready: 1 }
  const workers = [serving('other'), serving('mail', 'stopped'), serving('mail', 'stopping')]
  expect(found({}, { at: 0, depth, workers }, { at: 59_000, depth, workers })).toEqual([])
  expect(found({}, { at: 0, depth, workers }, { at: 60_000, depth, workers })).toMatchObject([
    { rule: 'unserved', subject: 'mail', value: 60_000, text: expect.stringContaining('1 job of mail') },
  ])
  expect(found({}, { at: 0, depth, workers }, { at: 30_000, depth }, { at: 61_000, depth, workers })).toEqual(
    [],
  )
  const paused = { at: 61_000, depth: { ready: 1, paused: true }, workers }
  expect(found({}, { at: 0, depth, workers }, paused)).toEqual([])
})

test('a schedule that is late is found, and a paused one never', () => {
  const schedule = { name: 'nightly', paused: false, nextAt: 1000 }
  expect(found({}, { at: 61_000, schedules: [schedule] })).toEqual([])
  expect(found({}, { at: 61_001, schedules: [schedule] })).toMatchObject([
    { rule: 'missedSchedule', subject: 'nightly' },
  ])
  expect(found({}, { at: 99_999, schedules: [{ ...schedule, paused: true }] })).toEqual([])
  expect(found({ missedSchedule: false }, { at: 99_999, schedules: [schedule] })).toEqual([])
})

test('what a ledger cannot tell raises nothing', () => {
  const depth = { ready: null, dead: null, totals: null, oldestAgeMs: null }
  expect(found({ unserved: 1 }, { at: 0, depth, workers: [] }, { at: 60_000, depth, workers: [] })).toEqual(
    [],
  )
})

test('options that cannot be used are refused', () => {
  for (const options of [
    { failures: { share: 2 } },
    { backlogAge: 'soon' as '1s' },
    { unserved: -1 },
    { every: 'x' as '1s' },
  ])
    expect(() => planOf(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})
