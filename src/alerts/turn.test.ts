import { expect, test } from 'vitest'
import type { Finding } from './rules.ts'
import { turnOf } from './turn.ts'

const finding: Finding = {
  rule: 'deadLetters',
  subject: 'mail',
  value: 1,
  limit: 0,
  text: 'mail has 1 dead letter',
  news: 1,
}
const HOUR = 3_600_000

test('an alert is raised once, and told again when it lasts', () => {
  const raised = turnOf(undefined, finding, 1000, HOUR)
  expect(raised?.alert).toMatchObject({ state: 'raised', since: 1000, at: 1000 })
  expect(turnOf(raised?.standing, finding, 1000 + HOUR - 1, HOUR)).toBeUndefined()
  expect(turnOf(raised?.standing, finding, 1000 + HOUR, HOUR)?.alert).toMatchObject({
    state: 'again',
    since: 1000,
  })
})

test('news is told sooner, and no more often than once a minute', () => {
  const standing = turnOf(undefined, finding, 0, HOUR)?.standing
  const more = { ...finding, value: 2, news: 2 }
  expect(turnOf(standing, more, 59_999, HOUR)).toBeUndefined()
  expect(turnOf(standing, more, 60_000, HOUR)?.alert).toMatchObject({ state: 'again', value: 2 })
})

test('an alert that is over is cleared and forgotten', () => {
  const standing = turnOf(undefined, finding, 0, HOUR)?.standing
  const cleared = turnOf(standing, undefined, 5000, HOUR)
  expect(cleared).toMatchObject({ alert: { state: 'cleared', since: 0, at: 5000 }, standing: undefined })
  expect(turnOf(undefined, undefined, 6000, HOUR)).toBeUndefined()
})
