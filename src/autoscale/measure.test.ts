import { expect, test } from 'vitest'
import { depthOf } from '../../lab/depth-of.ts'
import { measure } from './measure.ts'

const told = { workers: 2, starting: 1, ended: null, failed: null, runMs: 40 }

const totals = { accepted: 10, done: 5, failed: 2, dead: 1, cancelled: 1 }

test('queues are added up, and the greatest age counts', () => {
  const depths = [
    depthOf('q', { ready: 3, running: 1, scheduled: 4, oldestAgeMs: 200, totals }),
    depthOf('q', { ready: 2, running: 5, scheduled: 0, oldestAgeMs: 900, totals }),
  ]
  expect(measure(depths, told, 7)).toEqual({
    at: 7,
    ready: 5,
    running: 6,
    dueSoon: 4,
    oldestAgeMs: 900,
    accepted: 20,
    ended: 16,
    failed: 6,
    runMs: 40,
    workers: 2,
    starting: 1,
  })
})

test('what one queue cannot tell, all cannot', () => {
  const depths = [
    depthOf('q', { ready: 3, oldestAgeMs: 5, totals }),
    depthOf('q', { ready: null, running: null, scheduled: null }),
  ]
  expect(measure(depths, told, 0)).toMatchObject({
    ready: null,
    running: null,
    dueSoon: null,
    oldestAgeMs: null,
    accepted: null,
    ended: null,
  })
})

test('nothing ready has the age 0, which is known; ready jobs of an age that nobody tells have none', () => {
  expect(measure([depthOf('q', {})], told, 0).oldestAgeMs).toBe(0)
  expect(measure([depthOf('q', { ready: null })], told, 0).oldestAgeMs).toBeNull()
  expect(measure([depthOf('q', { ready: 3 }), depthOf('q', {})], told, 0).oldestAgeMs).toBeNull()
})

test('what waits in a paused queue needs no worker; what still runs there has one', () => {
  const paused = depthOf('q', { ready: 100, running: 2, scheduled: 9, oldestAgeMs: 99_999, paused: true })
  expect(measure([paused], told, 0)).toMatchObject({ ready: 0, running: 2, dueSoon: 0, oldestAgeMs: 0 })
})

test('totals of the workers are taken where the store has none', () => {
  const own = { ...told, ended: 12, failed: 3 }
  expect(measure([depthOf('q', {})], own, 0)).toMatchObject({ accepted: null, ended: 12, failed: 3 })
  expect(measure([depthOf('q', { totals })], own, 0)).toMatchObject({ accepted: 10, ended: 8, failed: 3 })
})
