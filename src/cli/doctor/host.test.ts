import { expect, test } from 'vitest'
import { clockFinding, nodeFinding } from './host.ts'

test('a Node that is too old is wrong', () => {
  const state = (version: string): string => nodeFinding(version).state
  expect(['v20.20.2', 'v22.21.9', 'v22.22.0', 'v24.0.0'].map(state)).toEqual(['wrong', 'wrong', 'ok', 'ok'])
})

test('a clock in a wrong year is wrong, one that is moved is a warning', () => {
  const now = Date.UTC(2030, 0, 1)
  expect(clockFinding(now, now + 100, 101).state).toBe('ok')
  expect(clockFinding(0, 100, 100)).toMatchObject({ state: 'wrong', found: 'the year is 1970' })
  expect(clockFinding(Number.NaN, Number.NaN, 1).state).toBe('wrong')
  expect(clockFinding(now, now - 3600_000, 100)).toMatchObject({
    state: 'warn',
    found: 'it was moved by -3600100 ms while this looked',
  })
})
