import type { Channel, Message } from 'amqplib'

/** How many messages of one consumer are in hand: the server lets it have so many at a time. */
export interface InHand {
  count: number
}

/** What the client reads of a message that is acknowledged. */
function named(deliveryTag: number): Message {
  return { fields: { deliveryTag } } as Message
}

/** Messages, by their delivery tags, that came over one channel and are not acknowledged yet, in the order in which they came. */
export class Unacked {
  readonly #channel: Channel
  readonly #tags = new Map<number, InHand>()
  #isOpen = true
  #isAlone = false

  constructor(channel: Channel) {
    this.#channel = channel
    channel.on('close', () => {
      if (!this.#isAlone) this.#close()
    })
  }

  /**
   * Their queue was deleted, and they are nobody else's any more: they are ended here, and the server hears nothing of it. The
   * channel is closed, for the server may have made it a consumer of the next queue of that name that nobody knows of.
   */
  leave(): void {
    this.#isAlone = true
    this.#tags.clear()
    void this.#channel.close().catch(() => {})
  }

  /** Once it is closed the server has taken back all that was not acknowledged. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  get size(): number {
    return this.#tags.size
  }

  add(tag: number, inHand: InHand = { count: 0 }): void {
    inHand.count++
    this.#tags.set(tag, inHand)
  }

  /** Acknowledges them: in one word as far as they are the oldest, the others one by one. False where it is closed. */
  ack(tags: readonly number[]): boolean {
    const ended = tags.filter((tag) => this.#take(tag))
    const [oldest = Number.POSITIVE_INFINITY] = this.#tags.keys()
    return this.#say(() => {
      let last = 0
      for (const tag of ended) {
        if (tag > oldest) this.#channel.ack(named(tag))
        else last = Math.max(last, tag)
      }
      if (last > 0) this.#channel.ack(named(last), true)
    })
  }

  /** The server has them again, and counts that they came back. */
  giveBack(tags: readonly number[]): void {
    this.#say(() => {
      for (const tag of tags) if (this.#take(tag)) this.#channel.nack(named(tag), false, true)
    })
  }

  #take(tag: number): boolean {
    const inHand = this.#tags.get(tag)
    if (inHand === undefined) return false
    inHand.count--
    return this.#tags.delete(tag)
  }

  /** The library throws where the channel is closing and has not told yet. */
  #say(what: () => void): boolean {
    if (!this.#isOpen) return false
    if (this.#isAlone) return true
    try {
      what()
      return true
    } catch (error) {
      if ((error as Error).name !== 'IllegalOperationError') throw error
      this.#close()
      return false
    }
  }

  #close(): void {
    this.#isOpen = false
    this.#tags.clear()
  }
}
