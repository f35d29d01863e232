import { expect, test } from 'vitest'
import { z } from 'zod'
import { offload } from '../offload.ts'
import { task } from '../task.ts'
import { usable } from './module.ts'

const named = (name: string) => task(name, { input: z.null(), run() {} })
const [a, b] = [named('a'), named('b')]
const queue = offload({ url: 'memory:', tasks: [a] })

test('tasks and the queue are found by themselves, in lists and in one default, each once', () => {
  expect(usable({ a, all: [a, b], default: queue, queue })).toEqual({ tasks: [a, b], queue })
  expect(usable({ default: { a, list: [b], queue } })).toEqual({ tasks: [a, b], queue })
  expect(usable({ default: a }).tasks).toEqual([a])
})

test('what only looks a little like them is left alone', () => {
  const looks = { name: 'x', run() {} }
  expect(
    usable({ looks, nothing: null, text: 'a', run() {}, nested: { a }, default: [undefined, looks] }),
  ).toEqual({
    tasks: [],
    queue: undefined,
  })
})

test('two queues are refused', () => {
  expect(() => usable({ queue, other: offload({ url: 'memory:', tasks: [] }) })).toThrow(
    'more than one queue',
  )
})
