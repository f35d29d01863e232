import { expect, test } from 'vitest'
import type { Job } from '../job/job.ts'
import { VirtualClock } from '../testing/index.ts'
import { Refused } from './refused.ts'

function jobs(queue: string, count: number): Job[] {
  return Array.from({ length: count }, (_, n) => ({
    id: `${queue}-${n}`,
    task: 't',
    queue,
    payload: '{}',
    priority: 4,
    createdAt: 0,
    maxAttempts: 1,
  }))
}

const [mail] = jobs('mail', 1) as [Job]
const [stock] = jobs('stock', 1) as [Job]

test('what was refused is offered again after a tenth of a second, once', async () => {
  const clock = new VirtualClock()
  const refused = new Refused(clock)
  refused.note([stock], [mail])
  expect(refused.take(10)).toEqual([])
  await clock.advance(100)
  expect(refused.take(10)).toEqual([mail])
  expect(refused.take(10)).toEqual([])
})

test('no more are answered than asked for, and the rest the next time', async () => {
  const clock = new VirtualClock()
  const refused = new Refused(clock)
  const all = jobs('mail', 5)
  refused.note([], all)
  await clock.advance(100)
  expect([refused.take(3), refused.take(3)]).toEqual([all.slice(0, 3), all.slice(3)])
})

test('a queue that refuses for two seconds is full: what it refuses then is left to the ledger, what others refuse is not', async () => {
  const clock = new VirtualClock()
  const refused = new Refused(clock)
  for (let ms = 0; ms < 2000; ms += 500) {
    refused.note([], [mail])
    await clock.advance(500)
    expect(refused.take(10)).toEqual([mail])
  }
  refused.note([], [mail, stock])
  await clock.advance(100)
  expect(refused.take(10)).toEqual([stock])
})

test('a queue that took all of a call, or has not refused for long, has another moment; one that took a part has not', async () => {
  const clock = new VirtualClock()
  const refused = new Refused(clock)
  const isOffered = async (): Promise<boolean> => {
    refused.note([], [mail])
    await clock.advance(100)
    return refused.take(10).length > 0
  }
  const isFull = async (): Promise<void> => {
    expect(await isOffered()).toBe(true)
    await clock.advance(2000)
    expect(await isOffered()).toBe(false)
  }
  await isFull()
  refused.note(jobs('mail', 2), [mail])
  expect(await isOffered()).toBe(false)
  refused.note([mail], [])
  await isFull()
  await clock.advance(10_000)
  expect(await isOffered()).toBe(true)
})

test('a queue is told of once, when it begins to refuse', () => {
  const refused = new Refused(new VirtualClock())
  expect(refused.note([], [mail])).toEqual(['mail'])
  expect(refused.note([], [mail, stock])).toEqual(['stock'])
  refused.note([mail], [])
  expect(refused.note([], [mail])).toEqual(['mail'])
})

test('no more than a thousand are kept', async () => {
  const clock = new VirtualClock()
  const refused = new Refused(clock)
  for (let n = 0; n < 3; n++) refused.note([], jobs('mail', 500))
  await clock.advance(100)
  expect(refused.take(5000)).toHaveLength(1000)
})
