import { expect, test } from 'vitest'
import { applied, preferences } from './prefer.ts'

test('what is known is read, whatever stands around it', () => {
  expect(preferences('respond-async, wait=10', 60_000)).toEqual({ respondAsync: true, waitMs: 10_000 })
  expect(preferences(' Wait = "5" ;x=y , handling=lenient; foo="a"', 60_000).waitMs).toBe(5000)
  expect(preferences('wait=1, wait=9', 60_000).waitMs).toBe(1000)
  expect(preferences('wait=99999', 60_000).waitMs).toBe(60_000)
})

test('what makes no sense is ignored', () => {
  for (const header of ['', ',;=', 'wait', 'wait=', 'wait=-1', 'wait=1.5', 'wait=1e3', 'await=5', '"wait=5"'])
    expect(applied(preferences(header, 60_000))).toBeUndefined()
})

test('a header made to be read for ever is read at once', () => {
  for (const evil of [' ', '"', '= ', ';', '\t"'])
    expect(preferences(`a=${evil.repeat(8000)}""x`, 1000).waitMs).toBeUndefined()
})
