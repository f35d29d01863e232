import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { framesIn, overTheWire } from '../../../test/rabbitmq/wire.ts'
import type { Properties } from './envelope.ts'
import { Frames } from './frames.ts'

const CHANNEL = 3
const FRAME_MAX = 4096
const FRAME = 8

interface Sent {
  readonly exchange: string
  readonly key: string
  readonly body: Buffer
  readonly properties: Properties
}

const plain: Properties = {
  messageId: 'a',
  persistent: true,
  mandatory: true,
  timestamp: 1_700_000_000,
  type: 'mail.send',
  headers: {},
}

const sent = (more: Partial<Properties> = {}, body = Buffer.from('{}')): Sent => ({
  exchange: 'offload.jobs',
  key: 'default',
  body,
  properties: { ...plain, ...more },
})

/** What the client reads of what was written, and in how many pieces that was. */
function written(messages: readonly Sent[]): { readonly read: readonly Sent[]; readonly pieces: number } {
  const pieces: Buffer[] = []
  const frames = new Frames(CHANNEL, FRAME_MAX, (bytes) => void pieces.push(bytes))
  for (const { exchange, key, body, properties } of messages) frames.add(exchange, key, body, properties)
  frames.flush()
  const read: Sent[] = []
  const left = [...framesIn(Buffer.concat(pieces), FRAME_MAX - FRAME)]
  expect(left.every(({ channel }) => channel === CHANNEL)).toBe(true)
  for (let method = left.shift(); method !== undefined; method = left.shift()) {
    const { fields, size = Number.NaN } = left.shift() ?? {}
    const parts: Buffer[] = []
    for (let bytes = 0; bytes < size; bytes += parts.at(-1)?.length ?? size)
      parts.push(left.shift()?.content ?? Buffer.alloc(0))
    const { exchange, routingKey, mandatory } = method.fields as Record<string, string>
    expect(mandatory).toBe(true)
    const properties = fields as Properties
    read.push({ exchange: exchange ?? '', key: routingKey ?? '', body: Buffer.concat(parts), properties })
  }
  return { read, pieces: pieces.length }
}

/** What the client reads of what it writes itself. */
function byTheClient({ exchange, key, body, properties }: Sent): Sent {
  const read = overTheWire(body, properties, { exchange, routingKey: key }).properties
  return { exchange, key, body, properties: read as unknown as Properties }
}

const withoutAbsent = ({ properties, ...rest }: Sent): object => ({
  ...rest,
  properties: Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined)),
})

const short = fc.string({ unit: 'binary', maxLength: 60 }).map((text) => text.toWellFormed())
const long = fc.string({ unit: 'binary', maxLength: 3000 }).map((text) => text.toWellFormed())
/** The client cannot write all of them. */
const double = fc.double({ noNaN: true, min: -1e15, max: 1e15 })
const number = fc.oneof(fc.integer(), fc.maxSafeInteger(), double)
const properties = fc.record(
  {
    messageId: short,
    persistent: fc.constant<true>(true),
    mandatory: fc.constant<true>(true),
    timestamp: fc.maxSafeNat(),
    type: short,
    appId: short,
    contentType: short,
    correlationId: short,
    priority: fc.nat(9),
    expiration: fc.nat(),
    headers: fc.dictionary(fc.stringMatching(/^[a-z-]{1,100}$/), fc.oneof(number, long), { maxKeys: 8 }),
  },
  { requiredKeys: ['messageId', 'persistent', 'mandatory', 'timestamp', 'type', 'headers'] },
) as fc.Arbitrary<Properties>

describe('messages as they are written', () => {
  test('are read by the client as what it would have written itself', () => {
    const length = fc.oneof(fc.nat(300), fc.integer({ min: FRAME_MAX - 20, max: FRAME_MAX * 5 }))
    const one = fc.record({
      exchange: short,
      key: short,
      body: length.map((bytes) => Buffer.alloc(bytes, 'abc')),
      properties,
    })
    fc.assert(
      fc.property(fc.array(one, { maxLength: 10 }), (messages) => {
        const { read } = written(messages)
        expect(read.map(withoutAbsent)).toEqual(messages.map(byTheClient).map(withoutAbsent))
      }),
      { numRuns: 100 },
    )
  })

  test('go out together, a few hundred of them in one piece', () => {
    const messages = Array.from({ length: 300 }, (_, nth) => sent({ messageId: `job-${nth}` }))
    const { read, pieces } = written(messages)
    expect(pieces).toBe(1)
    expect(read.map(({ properties: { messageId } }) => messageId)).toEqual(
      messages.map(({ properties: { messageId } }) => messageId),
    )
  })

  test('may be any number, and as long as they like', () => {
    const messages = Array.from({ length: 500 }, (_, nth) =>
      sent({ messageId: `job-${nth}` }, Buffer.alloc(nth * 100, nth + 1)),
    )
    const { read } = written(messages)
    expect(read.map(({ body }) => body.length)).toEqual(messages.map(({ body }) => body.length))
    expect(read.every(({ body }, nth) => body.equals(messages[nth]?.body ?? body))).toBe(true)
  })

  test('that cannot be one leave the others as they are', () => {
    const pieces: Buffer[] = []
    const frames = new Frames(CHANNEL, FRAME_MAX, (bytes) => void pieces.push(bytes))
    const add = ({ exchange, key, body, properties: own }: Sent): void => frames.add(exchange, key, body, own)
    add(sent({ messageId: 'first' }))
    for (const messageId of ['x'.repeat(256), 'ü'.repeat(128)])
      expect(() => add(sent({ messageId }))).toThrow(RangeError)
    add(sent({ messageId: 'x'.repeat(255) }))
    frames.flush()
    const ids = framesIn(Buffer.concat(pieces), FRAME_MAX).flatMap(({ fields }) =>
      fields !== undefined && 'messageId' in fields ? [fields.messageId] : [],
    )
    expect(ids).toEqual(['first', 'x'.repeat(255)])
  })

  test('are written once: nothing goes out where nothing was added', () => {
    const pieces: Buffer[] = []
    const frames = new Frames(CHANNEL, FRAME_MAX, (bytes) => void pieces.push(bytes))
    frames.flush()
    const { exchange, key, body, properties: own } = sent()
    frames.add(exchange, key, body, own)
    frames.flush()
    frames.flush()
    expect(pieces).toHaveLength(1)
  })
})
