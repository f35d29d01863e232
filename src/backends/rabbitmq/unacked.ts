import type { Channel, ConsumeMessage } from 'amqplib'

/** Messages that came over one channel and are not acknowledged yet, in the order in which they came. */
export class Unacked {
  readonly #channel: Channel
  readonly #tags = new Set<number>()
  #isOpen = true

  constructor(channel: Channel) {
    this.#channel = channel
    channel.on('close', () => {
      this.#isOpen = false
      this.#tags.clear()
    })
  }

  /** Once it is closed the server has taken back all that was not acknowledged. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  get size(): number {
    return this.#tags.size
  }

  add({ fields }: ConsumeMessage): void {
    this.#tags.add(fields.deliveryTag)
  }

  /** Acknowledges them: in one word as far as they are the oldest, the others one by one. */
  ack(messages: readonly ConsumeMessage[]): void {
    const ended = new Map(messages.map((message) => [message.fields.deliveryTag, message]))
    let last: ConsumeMessage | undefined
    for (const tag of this.#tags) {
      const message = ended.get(tag)
      if (message === undefined) break
      last = message
      ended.delete(tag)
      this.#tags.delete(tag)
    }
    if (last !== undefined) this.#channel.ack(last, true)
    for (const [tag, message] of ended) if (this.#tags.delete(tag)) this.#channel.ack(message)
  }

  /** The server has them again, and counts that they came back. */
  giveBack(messages: readonly ConsumeMessage[]): void {
    for (const message of messages)
      if (this.#tags.delete(message.fields.deliveryTag)) this.#channel.nack(message, false, true)
  }
}
