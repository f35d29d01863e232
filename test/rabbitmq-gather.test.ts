import type { Writable } from 'node:stream'
import { Duplex } from 'node:stream'
import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { gather } from '../src/backends/rabbitmq/gather.ts'

/** Keeps what each call of the system would have been given. */
function recorded(): { stream: Writable; calls: string[] } {
  const calls: string[] = []
  const stream = new Duplex({
    read() {},
    write(chunk, _, done) {
      calls.push(String(chunk))
      done()
    },
    writev(chunks, done) {
      calls.push(chunks.map(({ chunk }) => String(chunk)).join(''))
      done()
    },
  })
  return { stream, calls }
}

test('what is written in one turn goes out in one call', async () => {
  const { stream, calls } = recorded()
  gather(stream)
  stream.write('a')
  stream.write('b')
  stream.write('c')
  await turn()
  stream.write('d')
  stream.write('e')
  await turn()
  expect(calls).toEqual(['abc', 'de'])
})

test('a single write is not held back beyond the turn', async () => {
  const { stream, calls } = recorded()
  gather(stream)
  stream.write('a')
  await new Promise((resolve) => process.nextTick(resolve))
  expect(calls).toEqual(['a'])
})

test('a stream that is full says so, and drains', async () => {
  const { stream, calls } = recorded()
  gather(stream)
  const drained = new Promise((resolve) => stream.once('drain', resolve))
  expect(stream.write('x'.repeat(stream.writableHighWaterMark))).toBe(false)
  await drained
  expect(calls).toHaveLength(1)
})

test('what was written before the end goes out', async () => {
  const { stream, calls } = recorded()
  gather(stream)
  const finished = new Promise((resolve) => stream.once('finish', resolve))
  stream.write('a')
  stream.end('b')
  await finished
  expect(calls.join('')).toBe('ab')
})
