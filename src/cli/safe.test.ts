import { expect, test } from 'vitest'
import { clip, jsonText, safe, width } from './safe.ts'

test('what a terminal would obey or hide is written out', () => {
  expect(safe('plain text, 한국어, café, 👩‍👩‍👧')).toBe('plain text, 한국어, café, 👩‍👩‍👧')
  expect(safe('\u001b[2Jx\u0007\u007f\u009b1m')).toBe('\\x1b[2Jx\\x07\\x7f\\x9b1m')
  expect(safe('a\nb\r\tc\u2028d')).toBe('a\\nb\\r\\tc\\u2028d')
  expect(safe('user\u202egnp.exe\u2066\u200b\ufeff')).toBe('user\\u202egnp.exe\\u2066\\u200b\\ufeff')
  expect(safe('\ud800 \u{e0041}')).toBe('\\ud800 \\u{e0041}')
})

test('JSON is safe to show and parses to the same value', () => {
  const value = { 'k\u202e': ['\u009b1m', '\u007f', '\u{e0041}', '\u001b', 'plain "한"', null] }
  const text = jsonText(value)
  expect(JSON.parse(text)).toEqual(value)
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Cs}]/u)
  expect(jsonText(undefined)).toBe('null')
})

test('a width is counted in columns', () => {
  expect([
    width('abc'),
    width('한국'),
    width('é'),
    width('e\u0301'),
    width('👩‍👩‍👧'),
    width('Ａ'),
    width('❤️'),
  ]).toEqual([3, 4, 1, 1, 2, 2, 2])
})

test('a long text is cut to the columns, never inside a character', () => {
  expect(clip('abcdef', 6)).toBe('abcdef')
  expect(clip('abcdefg', 6)).toBe('abcde…')
  expect(clip('한국어말', 6)).toBe('한국…')
  expect(clip('👩‍👩‍👧👩‍👩‍👧', 3)).toBe('👩‍👩‍👧…')
})
