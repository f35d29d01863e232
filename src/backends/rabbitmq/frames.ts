import type { Headers, Properties } from './envelope.ts'

const METHOD = 1
const HEADER = 2
const BODY = 3
const END = 0xce
const BASIC = 60
const PUBLISH = 40
const MANDATORY = 1
const PERSISTENT = 2
/** Type, channel and length before a frame, and the end after it. */
const FRAME_HEAD = 7
const FRAME = FRAME_HEAD + 1

/** The place of each property among the flags. */
const HAS = {
  contentType: 1 << 15,
  headers: 1 << 13,
  deliveryMode: 1 << 12,
  priority: 1 << 11,
  correlationId: 1 << 10,
  expiration: 1 << 8,
  messageId: 1 << 7,
  timestamp: 1 << 6,
  type: 1 << 5,
  appId: 1 << 3,
} as const

const BYTES = 65_536
/** What is longer goes out as it is, and is not copied. */
const LONG = 8192
/** More than a frame has besides text. */
const MARGIN = 64
const LONGEST_SHORT = 255

/**
 * Publishes as AMQP 0-9-1 has them on the wire, for one channel: many go out in one write. amqplib makes five buffers and a write
 * of each message, which costs this process several times as much.
 */
export class Frames {
  readonly #channel: number
  readonly #mostBody: number
  readonly #out: (bytes: Buffer) => void
  #bytes: Buffer = Buffer.allocUnsafe(BYTES)
  #at = 0

  constructor(channel: number, frameMax: number, out: (bytes: Buffer) => void) {
    this.#channel = channel
    this.#mostBody = frameMax - FRAME
    this.#out = out
  }

  /** @throws RangeError for a property that is too long; nothing of the message goes out then */
  add(exchange: string, key: string, body: Buffer, properties: Properties): void {
    if (this.#at > BYTES / 2) this.flush()
    const begun = this.#at
    try {
      this.#method(exchange, key)
      this.#header(body.length, properties)
    } catch (error) {
      this.#at = begun
      throw error
    }
    for (let from = 0; from < body.length; from += this.#mostBody)
      this.#body(body.length <= this.#mostBody ? body : body.subarray(from, from + this.#mostBody))
  }

  /** Hands out what was added. */
  flush(): void {
    if (this.#at === 0) return
    this.#out(Buffer.from(this.#bytes.subarray(0, this.#at)))
    this.#at = 0
    if (this.#bytes.length > BYTES) this.#bytes = Buffer.allocUnsafe(BYTES)
  }

  #method(exchange: string, key: string): void {
    const frame = this.#begin(METHOD)
    this.#uint32((BASIC << 16) | PUBLISH)
    this.#uint16(0)
    this.#short(exchange)
    this.#short(key)
    this.#byte(MANDATORY)
    this.#end(frame)
  }

  #header(size: number, properties: Properties): void {
    const { contentType, headers, priority, correlationId, expiration, messageId, timestamp, type, appId } =
      properties
    const frame = this.#begin(HEADER)
    this.#uint32(BASIC << 16)
    this.#uint64(size)
    const flagsAt = this.#at
    this.#at += 2
    let flags = HAS.headers | HAS.deliveryMode | HAS.messageId | HAS.timestamp | HAS.type
    if (contentType !== undefined) {
      flags |= HAS.contentType
      this.#short(contentType)
    }
    this.#table(headers)
    this.#byte(PERSISTENT)
    if (priority !== undefined) {
      flags |= HAS.priority
      this.#byte(priority)
    }
    if (correlationId !== undefined) {
      flags |= HAS.correlationId
      this.#short(correlationId)
    }
    if (expiration !== undefined) {
      flags |= HAS.expiration
      this.#short(String(expiration))
    }
    this.#short(messageId)
    this.#uint64(timestamp)
    this.#short(type)
    if (appId !== undefined) {
      flags |= HAS.appId
      this.#short(appId)
    }
    this.#bytes.writeUInt16BE(flags, flagsAt)
    this.#end(frame)
  }

  #body(part: Buffer): void {
    const frame = this.#begin(BODY)
    if (part.length > LONG) {
      this.#bytes.writeUInt32BE(part.length, frame - 4)
      this.flush()
      this.#out(part)
      this.#byte(END)
      return
    }
    this.#room(part.length)
    part.copy(this.#bytes, this.#at)
    this.#at += part.length
    this.#end(frame)
  }

  /** Answers where its content begins. */
  #begin(type: number): number {
    this.#room(0)
    this.#byte(type)
    this.#uint16(this.#channel)
    this.#at += 4
    return this.#at
  }

  #end(frame: number): void {
    this.#bytes.writeUInt32BE(this.#at - frame, frame - 4)
    this.#byte(END)
  }

  #table(headers: Headers): void {
    const begun = this.#at
    this.#at += 4
    for (const name of Object.keys(headers)) {
      this.#short(name)
      const value = headers[name] as string | number
      if (typeof value === 'string') this.#long(value)
      else this.#number(value)
    }
    this.#bytes.writeUInt32BE(this.#at - begun - 4, begun)
  }

  #number(value: number): void {
    if (value === (value | 0)) {
      this.#byte(0x49) // I
      this.#uint32(value)
    } else if (Number.isSafeInteger(value)) {
      this.#byte(0x6c) // l
      this.#uint64(value)
    } else {
      this.#byte(0x64) // d
      this.#at = this.#bytes.writeDoubleBE(value, this.#at)
    }
  }

  #long(value: string): void {
    this.#byte(0x53) // S
    const begun = this.#at
    this.#at += 4
    this.#bytes.writeUInt32BE(this.#text(value), begun)
  }

  #short(value: string): void {
    const begun = this.#at
    this.#at++
    const length = this.#text(value)
    if (length > LONGEST_SHORT)
      throw new RangeError(`more than ${LONGEST_SHORT} bytes: ${value.slice(0, 50)}`)
    this.#bytes[begun] = length
  }

  /** Answers how many bytes it is. */
  #text(value: string): number {
    this.#room(value.length * 3)
    const bytes = this.#bytes
    const begun = this.#at
    // Most are a few letters, for which a call of the library costs more.
    for (let nth = 0; nth < value.length; nth++) {
      const code = value.charCodeAt(nth)
      if (code > 0x7f) {
        this.#at += bytes.write(value, begun)
        return this.#at - begun
      }
      bytes[begun + nth] = code
    }
    this.#at += value.length
    return value.length
  }

  /** Makes room for so many bytes, and what else a frame has beside them. */
  #room(bytes: number): void {
    const needed = this.#at + bytes + MARGIN
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#at)
    this.#bytes = larger
  }

  #byte(value: number): void {
    this.#bytes[this.#at++] = value
  }

  #uint16(value: number): void {
    this.#bytes[this.#at++] = value >>> 8
    this.#bytes[this.#at++] = value
  }

  #uint32(value: number): void {
    this.#uint16(value >>> 16)
    this.#uint16(value)
  }

  /** As two's complement, for whole numbers that are safe. */
  #uint64(value: number): void {
    this.#uint32(Math.floor(value / 2 ** 32))
    this.#uint32(value)
  }
}
