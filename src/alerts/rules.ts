import type { Depth } from '../broker.ts'
import { isServing } from '../observe/serving.ts'
import type { WorkerView } from '../presence/view.ts'
import type { ScheduleView } from '../schedule/schedules.ts'
import type { AlertRule } from './alert.ts'
import type { AlertPlan } from './options.ts'
import type { Past } from './past.ts'

/** All that the rules go by, read at one time. */
export interface Reading {
  /** Milliseconds since the epoch. */
  readonly at: number
  readonly queues: readonly Depth[]
  readonly workers: readonly WorkerView[]
  readonly schedules: readonly ScheduleView[]
}

/** A rule that is met now. */
export interface Finding {
  readonly rule: AlertRule
  readonly subject: string
  readonly value: number
  readonly limit: number
  readonly text: string
  /** Another number: it is told again, though it was told lately. */
  readonly news?: number
}

/** What is wrong now, by what was measured now and lately. */
export function findingsOf(plan: AlertPlan, reading: Reading, past: Past): Finding[] {
  const { queues, schedules } = reading
  return [
    ...queues.flatMap((depth) => [
      ...backlogAge(plan, depth),
      ...deadLetters(plan, depth),
      ...failures(plan, depth, past),
      ...unserved(plan, depth, reading, past),
    ]),
    ...schedules.flatMap((schedule) => missed(plan, schedule, reading.at)),
  ]
}

function backlogAge({ backlogAgeMs }: AlertPlan, { queue, oldestAgeMs, paused, ready }: Depth): Finding[] {
  const limit = backlogAgeMs(queue)
  if (oldestAgeMs === null || oldestAgeMs <= limit || paused) return []
  const text = `the oldest job of ${queue} that could start has waited ${seconds(oldestAgeMs)} (limit ${seconds(limit)}); ${ready ?? 'some'} could start: add workers, or see why theirs are slow`
  return [{ rule: 'backlogAge', subject: queue, value: oldestAgeMs, limit, text }]
}

function deadLetters(plan: AlertPlan, { queue, dead, totals }: Depth): Finding[] {
  if (!plan.deadLetters || dead === null || dead === 0) return []
  const text = `${queue} has ${count(dead, 'dead letter')}: read why with offload dead list --queue ${queue}, mend it, then redrive or purge them`
  return [{ rule: 'deadLetters', subject: queue, value: dead, limit: 0, text, news: totals?.dead ?? dead }]
}

function failures({ failures: rule }: AlertPlan, { queue }: Depth, past: Past): Finding[] {
  if (rule === undefined) return []
  const lately = past.lately(queue)
  if (lately === undefined || lately.ended < rule.least) return []
  const share = lately.failed / lately.ended
  if (share < rule.share) return []
  const text = `${Math.round(share * 100)} % of the last ${lately.ended} attempts of ${queue} failed (limit ${Math.round(rule.share * 100)} %): what they call may be down`
  return [{ rule: 'failures', subject: queue, value: share, limit: rule.share, text }]
}

function unserved({ unservedMs }: AlertPlan, depth: Depth, { workers, at }: Reading, past: Past): Finding[] {
  const { queue, ready, paused } = depth
  const isServed = workers.some((worker) => isServing(worker) && worker.queues.includes(queue))
  const isUnserved = unservedMs !== undefined && (ready ?? 0) > 0 && !paused && !isServed
  const forMs = past.lasts(`unserved ${queue}`, isUnserved, at)
  if (unservedMs === undefined || !isUnserved || forMs < unservedMs) return []
  const text = `${count(ready ?? 0, 'job')} of ${queue} could start, and no worker on any host has served it for ${seconds(forMs)}: start one, or correct its queues`
  return [{ rule: 'unserved', subject: queue, value: forMs, limit: unservedMs, text }]
}

function missed({ missedMs }: AlertPlan, { name, nextAt, paused }: ScheduleView, at: number): Finding[] {
  if (missedMs === undefined || paused || nextAt === undefined || at - nextAt <= missedMs) return []
  const lateMs = at - nextAt
  const text = `schedule ${name} should have ticked ${seconds(lateMs)} ago: no process with a worker has its task, or none is up`
  return [{ rule: 'missedSchedule', subject: name, value: lateMs, limit: missedMs, text }]
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`
}

function seconds(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`
  return ms < 120_000 ? `${Math.round(ms / 1000)} s` : `${Math.round(ms / 60_000)} min`
}
