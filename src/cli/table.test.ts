import { expect, test } from 'vitest'
import { pairs, table } from './table.ts'
import type { Line } from './terminal.ts'
import { relative, span } from './times.ts'

const text = (lines: readonly Line[]): string[] =>
  lines.map((line) =>
    [line]
      .flat()
      .map((part) => (typeof part === 'object' && 'text' in part ? part.text : part))
      .join(''),
  )

test('columns are as wide as what they show, whatever it is made of', () => {
  const columns = [{ title: 'ID' }, { title: 'N', right: true }, { title: 'WHY', most: 6 }]
  expect(
    text(
      table(columns, [
        ['한국', '7', 'short'],
        ['a\u001bb', '1234', { text: 'far too long', style: 'red' }],
      ]),
    ),
  ).toEqual(['ID         N  WHY', '한국       7  short', 'a\\x1bb  1234  far t…'])
})

test('values stand under each other', () => {
  expect(
    text(
      pairs([
        ['id', 'a'],
        ['state', 'b'],
      ]),
    ),
  ).toEqual(['id     a', 'state  b'])
})

test('times are told in their largest whole unit', () => {
  expect([span(0), span(999), span(59_999), span(3_599_999), span(90_000_000)]).toEqual([
    '0 ms',
    '999 ms',
    '59 s',
    '59 min',
    '1 d',
  ])
  expect([relative(0, 999), relative(0, 5000), relative(7_200_000, 0)]).toEqual(['now', '5 s ago', 'in 2 h'])
})
