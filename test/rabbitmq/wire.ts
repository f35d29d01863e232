import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { ConsumeMessage, MessageProperties, Options } from 'amqplib'

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
