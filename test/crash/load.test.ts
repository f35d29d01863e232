import { describe, expect, test } from 'vitest'
import { checks } from '../../lab/faults/fault.ts'
import { proofs } from '../../lab/proofs.ts'
import { survives } from './faults.ts'

describe('a worker', () => {
  test('takes no more of a long backlog than it can run soon', survives('slowConsumer'))
  test('runs thousands of jobs that fall due within a second, none early', survives('timers'))
  test('spreads the retries of an outage over time and goes on by itself after it', survives('outage'))
  test('without a file descriptor says so and goes on by itself when it has some', survives('noFiles'))
  test('that its heap limit ends costs no job', survives('littleMemory'))
  test('that ends a job after its lease was lost is told so, and its end is refused', survives('lateEnd'))
  test(
    'whose handler throws after its lease was lost is told so, and its retry is refused',
    survives('lateThrow'),
  )
})

test('every check of the lab has a bug that it must catch', () => {
  expect(checks.filter((check) => !proofs.some(({ caughtBy }) => caughtBy === check))).toEqual([])
})
