import { describe, expect, test } from 'vitest'
import { explore } from './lease-model/explore.ts'
import type { Rules } from './lease-model/world.ts'
import { leaseModel, rules } from './lease-model/world.ts'

test('no order of claims, renewals, crashes, late and repeated ends, cancels and revivals breaks a promise', () => {
  const { states, steps, violation } = explore(leaseModel(rules))
  console.log(`lease model: ${states} states, ${steps} steps`)
  expect(violation).toBeUndefined()
  expect(states).toBeGreaterThan(10_000)
})

/** A store with one rule broken, and what the exploration says of it. */
const mutants: readonly [name: string, broken: Partial<Rules>, said: RegExp][] = [
  [
    'takes an end whatever its fence',
    { holds: (job) => job.state === 'running' },
    /^an end was taken from a worker that no longer holds the job/,
  ],
  [
    'takes an end of a job that does not run',
    { holds: (job, fence) => job.fence === fence, move: fromAnywhere('done') },
    /^(two ends were taken|what was \w+ has changed|an end was taken)/,
  ],
  [
    'does not raise the fence',
    { move: after('claim', (job) => ({ ...job, fence: Math.max(1, job.fence - 1) })) },
    /fence/,
  ],
  [
    'does not count a claim',
    { move: after('claim', (job) => ({ ...job, attempt: job.attempt - 1 })) },
    /^a claim was not counted/,
  ],
  [
    'ends a lease before its time',
    { isLapsed: (job) => job.state === 'running' },
    /^a lease was ended before its time/,
  ],
  ['never ends a lease', { isLapsed: () => false }, /^no end can be reached/],
  [
    'lets a release cost an attempt',
    { move: after('release', (job) => ({ ...job, attempt: job.attempt + 1 })) },
    /^a release or snooze cost an attempt/,
  ],
  [
    'gives an attempt back for a crash',
    { move: after('lapse', (job) => ({ ...job, attempt: job.attempt - 1 })) },
    /^a crash cost no attempt/,
  ],
  ['tries again without end', { move: endlessly }, /^more attempts than may be made/],
  [
    'goes on with a cancelled job',
    {
      move: (job, how, now) =>
        rules.move(
          how.type === 'retry' || how.type === 'lapse' ? { ...job, cancelling: false } : job,
          how,
          now,
        ),
    },
    /^a cancelled job goes on/,
  ],
  ['cancels what has ended', { move: fromAnywhere('cancel') }, /^what was \w+ has changed/],
]

describe('the exploration catches a store that', () => {
  test.each(mutants)('%s', (_, broken, said) => {
    const { violation } = explore(leaseModel({ ...rules, ...broken }))
    console.log(violation)
    expect(violation).toMatch(said)
  })
})

type Moved = NonNullable<ReturnType<Rules['move']>>

function after(type: string, change: (job: Moved) => Moved): Rules['move'] {
  return (job, how, now) => {
    const moved = rules.move(job, how, now)
    return moved === undefined || how.type !== type ? moved : change(moved)
  }
}

function fromAnywhere(type: string): Rules['move'] {
  return (job, how, now) => rules.move(how.type === type ? { ...job, state: 'running' } : job, how, now)
}

function endlessly(...[job, how, now]: Parameters<Rules['move']>): ReturnType<Rules['move']> {
  const moved = rules.move({ ...job, maxAttempts: 99 }, how, now)
  return moved === undefined ? undefined : { ...moved, maxAttempts: job.maxAttempts }
}
