import { expect, test } from 'vitest'
import { ATTEMPTS, snippetOf, verdictOf, waitMs } from './answer.ts'

const now = Date.UTC(2030, 0, 1)
const asked = (retryAfter: string): unknown =>
  (verdictOf(503, retryAfter, now) as { retryAfterMs?: number }).retryAfterMs

test('only 2xx is success, and only 410 is for ever', () => {
  const types = [
    200, 201, 204, 299, 199, 300, 301, 304, 307, 400, 401, 404, 410, 413, 429, 500, 503, 599,
  ].map((status) => verdictOf(status, undefined, now).type)
  expect(types.slice(0, 4)).toEqual(['taken', 'taken', 'taken', 'taken'])
  expect(types.filter((type) => type === 'gone')).toHaveLength(1)
  expect(verdictOf(410, undefined, now).type).toBe('gone')
  expect(types.filter((type) => type === 'failed')).toHaveLength(13)
})

test('429, 502, 503 and 504 hold back the other deliveries, no other status does', () => {
  const throttling = Array.from({ length: 300 }, (_, index) => 300 + index).filter((status) => {
    const verdict = verdictOf(status, undefined, now)
    return verdict.type === 'failed' && verdict.throttled
  })
  expect(throttling).toEqual([429, 502, 503, 504])
})

test('Retry-After is read as seconds and as a date in each of the three forms of HTTP, up to a day', () => {
  expect(asked('120')).toBe(120_000)
  expect(asked('0')).toBe(0)
  expect(asked('99999999999999999999')).toBe(86_400_000)
  expect(asked('Tue, 01 Jan 2030 00:01:00 GMT')).toBe(60_000)
  expect(asked('Tuesday, 01-Jan-30 00:01:00 GMT')).toBe(60_000)
  expect(asked('Tue Jan  1 00:01:00 2030')).toBe(60_000)
  expect(asked('Tue, 01 Jan 2040 00:00:00 GMT')).toBe(86_400_000)
  expect(asked('Mon, 31 Dec 2029 00:00:00 GMT')).toBe(0)
})

test.each(['', '-1', '1.5', 'soon', '2030-01-01', 'Tue, 99 Foo 2030', '1e3', '٣'])(
  'Retry-After %j is not heeded',
  (text) => {
    expect(asked(text)).toBeUndefined()
  },
)

test('ten attempts follow the schedule of Standard Webhooks, give or take a tenth', () => {
  const seconds = [5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
  expect(ATTEMPTS).toBe(10)
  for (const [index, planned] of seconds.entries()) {
    expect(waitMs(index + 1, undefined, () => 0)).toBe(planned * 900)
    expect(waitMs(index + 1, undefined, () => 0.5)).toBe(planned * 1000)
    expect(waitMs(index + 1, undefined, () => 0.999999)).toBeLessThanOrEqual(planned * 1100)
  }
  expect(waitMs(1000, undefined, () => 0.5)).toBe(86_400_000)
})

test('a wait that was asked for is never cut short, and cuts nothing short', () => {
  expect(waitMs(1, 60_000, () => 0)).toBe(60_000)
  expect(waitMs(5, 60_000, () => 0.5)).toBe(18_000_000)
})

test('the beginning of an answer becomes one line without control characters', () => {
  expect(snippetOf(Buffer.from('no\r\n\u001b[31mred\u0000\u202e \u2028x'))).toBe('no [31mred x')
  expect(snippetOf(Buffer.from([0xff, 0xfe, 0x41]))).toContain('A')
  expect(snippetOf(Buffer.from('x'.repeat(5000)))).toHaveLength(200)
  expect(snippetOf(Buffer.from('😀'.repeat(200))).isWellFormed()).toBe(true)
})
