import { createRequire } from 'node:module'
import { join } from 'node:path'
import { Duplex } from 'node:stream'
import type { ConfirmChannel, ConsumeMessage, MessageProperties, Options } from 'amqplib'

/** What the client does with properties on their way; its package shows neither. */
interface Codec {
  readonly BasicProperties: number
  encodeProperties(id: number, channel: number, size: number, fields: object): Buffer
  decode(id: number, payload: Buffer): MessageProperties
}

const lib = join(import.meta.dirname, '../../node_modules/amqplib/lib')
const load = createRequire(import.meta.url)
const codec = load(join(lib, 'defs.js')) as Codec
const { publish } = load(join(lib, 'api_args.js')) as {
  publish(exchange: string, key: string, options: Options.Publish): object
}

/** What the client makes of one frame. */
export interface Frame {
  readonly channel: number
  readonly id?: number
  readonly fields?: object
  /** Of the whole body, in the frame that has the properties. */
  readonly size?: number
  /** A part of a body. */
  readonly content?: Buffer
}

const framing = load(join(lib, 'frame.js')) as {
  parseFrame(bytes: Buffer, most: number): { readonly rest: Buffer } | false
  decodeFrame(frame: { readonly rest: Buffer }): Frame
}

/** What the client reads in these bytes. @throws where a frame is longer than `most`, or not whole */
export function framesIn(bytes: Buffer, most: number): readonly Frame[] {
  const frames: Frame[] = []
  for (let rest = bytes; rest.length > 0; ) {
    const frame = framing.parseFrame(rest, most)
    if (frame === false) throw new Error('the last frame is not whole')
    frames.push(framing.decodeFrame(frame))
    rest = frame.rest
  }
  return frames
}

/** Type, channel and size of a frame, then class, weight and size of the body. */
const BEFORE_PROPERTIES = 7 + 12
const FRAME_END = 1

/** A message as a consumer gets it: its properties are encoded and decoded by the client itself. */
export function overTheWire(
  body: Buffer,
  properties: Options.Publish,
  { exchange = '', routingKey = '', redelivered = false, deliveryTag = 1 } = {},
): ConsumeMessage {
  const frame = codec.encodeProperties(
    codec.BasicProperties,
    1,
    body.length,
    publish(exchange, routingKey, properties),
  )
  return {
    content: body,
    properties: codec.decode(codec.BasicProperties, frame.subarray(BEFORE_PROPERTIES, -FRAME_END)),
    fields: { deliveryTag, redelivered, exchange, routingKey, consumerTag: 'consumer' },
  }
}

const { Connection } = load(join(lib, 'connection.js')) as {
  Connection: new (stream: Duplex) => object
}
const Confirming = (
  load(join(lib, 'channel_model.js')) as {
    ConfirmChannel: new (connection: object) => ConfirmChannel & { allocate(): void }
  }
).ConfirmChannel

/** A channel of the client that no server is behind, and what it writes. */
export function channelOffline(frameMax: number): { channel: ConfirmChannel; written: Buffer[] } {
  const written: Buffer[] = []
  const stream = new Duplex({
    read() {},
    write(bytes: Buffer, _, done) {
      written.push(bytes)
      done()
    },
  })
  const connection = Object.assign(new Connection(stream), { frameMax, channelMax: 10 })
  const channel = new Confirming(connection)
  channel.allocate()
  return { channel, written }
}
