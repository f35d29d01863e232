import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { Message } from './sse.ts'
import { messageReader } from './sse.ts'

const lineEnd = fc.constantFrom('\n', '\r', '\r\n')
const line = fc
  .string({ unit: fc.constantFrom('a', 'é', '💡', ':', ' ', '{', '\u2028', '\t'), maxLength: 8 })
  .chain((text) => fc.constantFrom(text, `data: ${text}`, `data:${text}`, `id: ${text}`, 'retry: 30', ''))

const read = (pieces: readonly string[]): Message[] => {
  const messages = messageReader()
  return pieces.flatMap((piece) => messages(piece))
}

test('a stream reads the same however it is cut, whatever its line ends', () => {
  const lines = fc.array(line, { maxLength: 12 })
  fc.assert(
    fc.property(lines, lineEnd, fc.array(fc.nat(200)), (content, end, cuts) => {
      const text = `${content.join(end)}${end}${end}data: last${end}${end}:`
      const places = [0, ...cuts.map((cut) => cut % text.length).sort((a, b) => a - b), text.length]
      const pieces = places.slice(1).map((to, index) => text.slice(places[index], to))
      expect(read(pieces)).toEqual(read([`${content.join('\n')}\n\ndata: last\n\n:`]))
    }),
  )
})

test('the fields of a message are read, lines of data joined, comments and unknown fields left out', () => {
  expect(read([':hi\n\nretry: 30\nid: 7\nevent: done\ndata: a\ndata\ndata:  b\nother: x\n\n'])).toEqual([
    { retry: '30', id: '7', event: 'done', data: 'a\n\n b' },
  ])
})

test('what was cut off before its blank line is not told, nor is its id', () => {
  expect(read(['id: 1\ndata: a\n\nid: 2\ndata: b\n'])).toEqual([{ id: '1', data: 'a' }])
})
