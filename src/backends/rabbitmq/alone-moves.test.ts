import { describe, expect, test } from 'vitest'
import type { Job, JobFault } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { Next } from './alone-moves.ts'
import { afterEnding, onArrival } from './alone-moves.ts'

const NOW = 1_700_000_000_000
const job: Job = {
  id: 'a',
  task: 't',
  queue: 'q',
  payload: '1',
  priority: 4,
  createdAt: NOW,
  maxAttempts: 3,
}

const faultOf = (attempt: number): JobFault => ({
  code: 'HANDLER_FAILED',
  name: 'Error',
  message: 'no',
  attempt,
  at: NOW,
})

const deadOf = (attempts: number, code: string): unknown => ({
  to: 'dead',
  attempts,
  headers: expect.objectContaining({ 'offload-fault-code': code, 'offload-fault-attempt': attempts }),
})

const later = NOW + 5000
const endings: readonly (readonly [what: string, ending: Ending, attempt: number, next: unknown])[] = [
  ['done', { type: 'done', result: '1' }, 1, undefined],
  ['cancelled', { type: 'cancelled' }, 1, undefined],
  ['released in its first attempt', { type: 'release' }, 1, { to: 'queue', attempts: 0 }],
  ['released in its last attempt', { type: 'release' }, 3, { to: 'queue', attempts: 2 }],
  ['snoozed', { type: 'snooze', runAt: later }, 3, { to: 'queue', attempts: 2, runAt: later }],
  [
    'failed, with an attempt left',
    { type: 'retry', runAt: later, fault: faultOf(2) },
    2,
    { to: 'queue', attempts: 2, runAt: later },
  ],
  [
    'failed in its last attempt',
    { type: 'retry', runAt: later, fault: faultOf(3) },
    3,
    deadOf(3, 'HANDLER_FAILED'),
  ],
  [
    'failed after more attempts than it has',
    { type: 'retry', runAt: later, fault: faultOf(7) },
    7,
    deadOf(7, 'HANDLER_FAILED'),
  ],
  ['dead at once', { type: 'dead', fault: faultOf(1) }, 1, deadOf(1, 'HANDLER_FAILED')],
]

describe('a job that no ledger remembers', () => {
  test.each(endings)('when %s', (_, ending, attempt, next) => {
    expect(afterEnding(job, attempt, ending)).toEqual(next)
  })

  const arrivals: readonly (readonly [
    what: string,
    more: Partial<Job>,
    attempts: number,
    next: Next | unknown,
  ])[] = [
    ['runs', {}, 0, undefined],
    ['runs in its last attempt', {}, 2, undefined],
    ['is dead after its last', {}, 3, deadOf(3, 'LEASE_LOST')],
    ['is dead after more than its last', {}, 4, deadOf(4, 'LEASE_LOST')],
    ['runs at its deadline', { deadline: NOW }, 0, undefined],
    ['is dead past its deadline', { deadline: NOW - 1 }, 0, deadOf(0, 'DEADLINE_PASSED')],
    [
      'is dead past its deadline, also where it is to run later',
      { deadline: NOW - 1, runAt: later },
      1,
      deadOf(1, 'DEADLINE_PASSED'),
    ],
    ['is dead of its attempts, also where it is to run later', { runAt: later }, 3, deadOf(3, 'LEASE_LOST')],
    ['waits until it is due', { runAt: later }, 1, { to: 'queue', attempts: 1, runAt: later }],
    ['waits where 21 ms are left', { runAt: NOW + 21 }, 0, { to: 'queue', attempts: 0, runAt: NOW + 21 }],
    ['runs where 20 ms are left: clocks differ by more', { runAt: NOW + 20 }, 0, undefined],
    ['runs when it is due', { runAt: NOW }, 0, undefined],
    ['runs when it is overdue', { runAt: 0 }, 0, undefined],
  ]

  test.each(arrivals)('that arrives %s', (_, more, attempts, next) => {
    expect(onArrival({ ...job, ...more }, attempts, NOW)).toEqual(next)
  })

  test('is dead with what a person reads: why, when and after how many attempts', () => {
    expect(onArrival(job, 3, NOW)).toMatchObject({
      headers: {
        'offload-fault-code': 'LEASE_LOST',
        'offload-fault-message': expect.stringContaining('delivered 3 times and not settled'),
        'offload-fault-attempt': 3,
        'offload-ended-at': NOW,
      },
    })
  })
})
