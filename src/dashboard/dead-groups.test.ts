import { expect, test } from 'vitest'
import type { JobView } from '../reading/view.ts'
import { grouped, isMeant, patternOf } from './dead-groups.ts'

const died = (id: string, message: string, more: Partial<JobView> = {}): JobView => ({
  id,
  task: 'charge',
  queue: 'payments',
  state: 'dead',
  priority: 4,
  attempt: 2,
  maxAttempts: 2,
  createdAt: 1,
  endedAt: 10,
  cancelling: false,
  payload: {},
  log: [],
  error: { code: 'HANDLER_FAILED', name: 'Error', message, attempt: 2, at: 10 },
  faults: [],
  eventId: 1,
  ...more,
})

test.each([
  ['order 17 failed', 'order 18 failed'],
  ['connect ECONNREFUSED 10.0.0.1:5432', 'connect ECONNREFUSED 10.0.0.27:6432'],
  ['no user 3f2b1c4d-0000-4000-8000-0123456789ab', 'no user aaaaaaaa-1111-4222-8333-444444444444'],
  ['job 01m8kmnqbmcrqb09me0bdts331w1sp', 'job 01m8kmnrxz8z4kzkcj159ztxc87e9f'],
  ['at 0x7ffe12', 'at 0xdead'],
  ['took 1.5 s', 'took 12 s'],
  ['payment of A1 refused', 'payment of B2 refused'],
  ['no mailbox bob@example.com', 'no mailbox alice+x@mail.example.org'],
  ['unknown sku "red-shirt"', 'unknown sku "blue"'],
  ['it ended at 2026-11-29T12:48:15.123Z.', 'it ended at 2026-11-30T01:02:03.004Z.'],
])('%j and %j are one kind of error', (one, other) => {
  expect(patternOf(one)).toBe(patternOf(other))
})

test('messages of other words are other kinds, and long ones are cut', () => {
  expect(patternOf("can't read what isn't there")).not.toBe(patternOf("can't find what isn't there"))
  expect(patternOf('declined')).not.toBe(patternOf('expired'))
  expect(patternOf('internationalisation failed')).toBe('internationalisation failed')
  expect(patternOf('x'.repeat(5000))).toHaveLength(300)
})

test('dead letters are grouped by task, code and message, the most frequent first', () => {
  const groups = grouped([
    died('d', 'mailbox full', { task: 'mail', queue: 'mail', endedAt: 40 }),
    died('c', 'order 3 failed', { endedAt: 30 }),
    died('b', 'order 2 failed', { endedAt: 20, queue: 'others' }),
    died('a', 'order 1 failed', { endedAt: 10 }),
  ])
  expect(groups).toMatchObject([
    { task: 'charge', count: 3, newestId: 'c', newestAt: 30, oldestAt: 10, queues: ['payments', 'others'] },
    { task: 'mail', count: 1, message: 'mailbox full' },
  ])
})

test('a selection means the jobs of its group and no others', () => {
  const selection = { task: 'charge', code: 'HANDLER_FAILED', pattern: patternOf('order 1 failed') }
  expect(isMeant(died('a', 'order 2 failed'), selection)).toBe(true)
  expect(isMeant(died('a', 'order 2 was lost'), selection)).toBe(false)
  expect(isMeant(died('a', 'order 2 failed', { task: 'mail' }), selection)).toBe(false)
  expect(isMeant(died('a', 'order 2 failed'), { ...selection, queue: 'mail' })).toBe(false)
})

test('a dead letter without an error is a group too', () => {
  const { error: _, ...silent } = died('a', '')
  expect(grouped([silent])).toMatchObject([{ code: '', pattern: '', count: 1 }])
})
