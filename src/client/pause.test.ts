import { expect, test } from 'vitest'
import { OffloadClientError, retryAfterMs } from './error.ts'
import { pauseAfter, sleep, toMs } from './pause.ts'

const lost = new OffloadClientError('NETWORK_FAILED', '')
const answered = (status: number, retryAfterMs?: number, code = 'HTTP_FAILED'): OffloadClientError =>
  new OffloadClientError(code, '', { status, retryAfterMs })

test('the pause doubles with each failure in a row, up to half a minute, and up to half more', () => {
  expect([1, 2, 3, 20].map((failures) => pauseAfter(lost, failures, 300, 0))).toEqual([
    300, 600, 1200, 30_000,
  ])
  expect(pauseAfter(lost, 1, 300, 1)).toBe(450)
})

test('the server is never asked sooner than it said', () => {
  expect(pauseAfter(answered(503, 5000), 1, 300, 0)).toBe(5000)
  expect(pauseAfter(answered(429, 100), 3, 300, 0)).toBe(1200)
})

test('who is told to come back after more than a minute decides for himself', () => {
  expect(pauseAfter(answered(503, 61_000), 1, 300, 0)).toBeUndefined()
})

test('only what may succeed later is tried again', () => {
  for (const status of [429, 502, 503, 504]) expect(pauseAfter(answered(status), 1, 300, 0)).toBe(300)
  expect(pauseAfter(answered(409, 1000, 'IDEMPOTENCY_IN_USE'), 1, 300, 0)).toBe(1000)
  for (const status of [400, 404, 409, 410, 422, 500])
    expect(pauseAfter(answered(status), 1, 300, 0)).toBeUndefined()
  expect(pauseAfter(new TypeError('fetch failed'), 1, 300, 0)).toBeUndefined()
})

test('Retry-After is read as seconds or as a date', () => {
  expect(retryAfterMs('3', 0)).toBe(3000)
  expect(retryAfterMs('Thu, 01 Jan 1970 00:00:09 GMT', 2000)).toBe(7000)
  expect(retryAfterMs('Thu, 01 Jan 1970 00:00:00 GMT', 2000)).toBe(0)
  expect(retryAfterMs('soon', 0)).toBeUndefined()
  expect(retryAfterMs(null, 0)).toBeUndefined()
})

test('a duration is milliseconds or a number with its unit, and no timer overflows', () => {
  expect([toMs(5, 'x'), toMs('1.5s', 'x'), toMs('2h', 'x'), toMs('100d', 'x')]).toEqual([
    5,
    1500,
    7_200_000,
    2 ** 31 - 1,
  ])
  for (const bad of ['5', '1 week', '', 's', '-1s', -1, Number.NaN, null, {}, 'constructor'])
    expect(() => toMs(bad as never, 'wait')).toThrow(/wait must be milliseconds or a duration/)
})

test('a sleeper is woken by its signal, with its reason', async () => {
  const controller = new AbortController()
  const sleeping = sleep(60_000, controller.signal)
  controller.abort(new Error('enough'))
  await expect(sleeping).rejects.toThrow('enough')
  await expect(sleep(60_000, controller.signal)).rejects.toThrow('enough')
  await sleep(0, undefined)
})
