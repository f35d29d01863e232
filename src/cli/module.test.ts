import { expect, test } from 'vitest'
import { z } from 'zod'
import { offload } from '../offload.ts'
import { schedule } from '../schedule/schedule.ts'
import { task } from '../task.ts'
import { usable } from './module.ts'

const named = (name: string) => task(name, { input: z.null(), run() {} })
const [a, b] = [named('a'), named('b')]
const queue = offload({ url: 'memory:', tasks: [a] })

test('tasks and the queue are found by themselves, in lists and in one default, each once', () => {
  expect(usable({ a, all: [a, b], default: queue, queue })).toEqual({
    tasks: [a, b],
    schedules: [],
    queue,
  })
  expect(usable({ default: { a, list: [b], queue } })).toEqual({ tasks: [a, b], schedules: [], queue })
  expect(usable({ default: a }).tasks).toEqual([a])
})

test('a schedule is found as a task is, and brings its task', () => {
  const hourly = schedule('hourly', { task: a, input: null, every: '1h' })
  const daily = schedule('daily', { task: b, input: null, cron: '@daily' })
  expect(usable({ hourly, all: [hourly, daily] })).toEqual({
    tasks: [a, b],
    schedules: [hourly, daily],
    queue: undefined,
  })
  expect(usable({ default: daily })).toMatchObject({ tasks: [b], schedules: [daily] })
  expect(usable({ default: { a, daily } })).toMatchObject({ tasks: [a, b], schedules: [daily] })
})

test('what only looks a little like them is left alone', () => {
  const looks = { name: 'x', run() {} }
  const ticks = { name: 'x', task: looks, timing: { everyMs: 1000 }, catchUp: 'one', overlap: 'allow' }
  expect(
    usable({ looks, ticks, nothing: null, text: 'a', run() {}, nested: { a }, default: [undefined, looks] }),
  ).toEqual({
    tasks: [],
    schedules: [],
    queue: undefined,
  })
})

test('two queues are refused', () => {
  expect(() => usable({ queue, other: offload({ url: 'memory:', tasks: [] }) })).toThrow(
    'more than one queue',
  )
})
