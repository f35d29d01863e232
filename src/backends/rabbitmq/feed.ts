import type { Channel, ChannelModel, ConsumeMessage } from 'amqplib'
import { sleep, systemClock } from '../../clock.ts'
import { BackendError } from '../../job/errors.ts'
import type { Link } from './link.ts'
import type { InHand } from './unacked.ts'
import { Unacked } from './unacked.ts'

/** What is on its way has come when nothing came for so long; it is not waited for longer than this. */
const QUIET_MS = 10
const LONGEST_QUIET_MS = 100

interface Consumer {
  readonly tag: string
  readonly prefetch: number
  readonly inHand: InHand
}

export interface FeedParts {
  readonly link: Link
  /** Of a call to the server. */
  readonly timeoutMs: number
  readonly onMessage: (message: ConsumeMessage, inHand: InHand, feed: Feed) => void
  /** The server has ended a consumer: its queue was deleted. */
  readonly onGone: (feed: Feed) => void
  readonly onClose: (error: Error, feed: Feed) => void
}

/**
 * A channel over which the messages of a queue come. The server lets each consumer have so many at a time and no more, so one
 * is added where there has to be more room.
 *
 * What is on its way to a consumer that is cancelled comes back to the queue counted as delivered (seen on 3.10), which
 * is an attempt of the job. So none is cancelled without need but those that have all they may have.
 */
export class Feed {
  readonly model: ChannelModel
  readonly channel: Channel
  readonly unacked: Unacked
  readonly #parts: FeedParts
  readonly #consumers = new Set<Consumer>()
  /** Why the server closed the channel. */
  #error: Error | undefined
  #arrived = 0
  /** When a consumer began last, and how many messages had been ended until then. */
  #begun = { at: systemClock.elapsed(), ended: 0 }
  #isLeft = false

  private constructor(model: ChannelModel, channel: Channel, parts: FeedParts) {
    this.model = model
    this.channel = channel
    this.unacked = new Unacked(channel)
    this.#parts = parts
    channel.on('error', (error) => {
      this.#error = error
    })
    channel.on('close', () => parts.onClose(this.#error ?? new Error('the channel was closed'), this))
  }

  static async over(model: ChannelModel, parts: FeedParts): Promise<Feed> {
    const channel = await parts.link.answer(model.createChannel(), parts.timeoutMs)
    return new Feed(model, channel, parts)
  }

  /** Messages that may come yet. */
  get room(): number {
    let room = 0
    for (const { prefetch, inHand } of this.#consumers) room += prefetch - inHand.count
    return room
  }

  get isConsuming(): boolean {
    return this.#consumers.size > 0
  }

  /** Whether some consumer has all it may have. */
  get isFull(): boolean {
    for (const { prefetch, inHand } of this.#consumers) if (inHand.count >= prefetch) return true
    return false
  }

  /** How many messages were ended within so long, on the average since a consumer began last. */
  endedWithin(ms: number): number {
    const { at, ended } = this.#begun
    return ((this.#ended - ended) * ms) / Math.max(ms, systemClock.elapsed() - at)
  }

  get #ended(): number {
    return this.#arrived - this.unacked.size
  }

  /** Makes room for so many more messages. */
  async consume(name: string, prefetch: number): Promise<void> {
    const { link, timeoutMs, onMessage, onGone } = this.#parts
    await this.endFull()
    this.#begun = { at: systemClock.elapsed(), ended: this.#ended }
    await this.#answer(this.channel.prefetch(prefetch))
    const inHand: InHand = { count: 0 }
    let consumer: Consumer | undefined
    let isGone = false
    const consuming = this.channel.consume(name, (message) => {
      this.#arrived++
      if (message !== null) return onMessage(message, inHand, this)
      isGone = true
      if (consumer !== undefined) this.#consumers.delete(consumer)
      onGone(this)
    })
    void this.#unlessLate(consuming)
    // A queue without a leader answers nothing; the others of the connection are well.
    const { consumerTag: tag } = await link.answer(consuming, timeoutMs, 'check')
    if (isGone) throw new BackendError('BACKEND_UNAVAILABLE', 'rabbitmq: the queue went as it was consumed')
    consumer = { tag, prefetch, inHand }
    this.#consumers.add(consumer)
  }

  /** Ends the consumers that have all they may have. */
  endFull(): Promise<unknown> {
    return this.#end(({ prefetch, inHand }) => inHand.count >= prefetch)
  }

  /** Ends them all, once nothing seems to be on its way to them. */
  async endAll(): Promise<void> {
    const until = systemClock.elapsed() + LONGEST_QUIET_MS
    for (let seen = -1; this.room > 0 && seen !== this.#arrived && systemClock.elapsed() < until; ) {
      seen = this.#arrived
      await sleep(systemClock, QUIET_MS)
    }
    await this.#end(() => true)
  }

  /** Nothing is asked of it any more, for it did not answer; what came over it is still in hand. */
  leave(): void {
    this.#isLeft = true
    void this.endAll().catch(() => {})
    if (this.unacked.size === 0) void this.close()
  }

  async close(): Promise<void> {
    await this.#answer(this.channel.close()).catch(() => {})
  }

  async #end(which: (consumer: Consumer) => boolean): Promise<void> {
    const ending = [...this.#consumers].filter(which)
    for (const consumer of ending) this.#consumers.delete(consumer)
    await Promise.all(ending.map(({ tag }) => this.#answer(this.channel.cancel(tag))))
  }

  /** A consumer that begins when the channel was left already must not take anything. */
  async #unlessLate(consuming: Promise<{ consumerTag: string }>): Promise<void> {
    try {
      const { consumerTag } = await consuming
      if (this.#isLeft) await this.channel.cancel(consumerTag)
    } catch {
      // Then there is none.
    }
  }

  #answer<T>(call: Promise<T>): Promise<T> {
    return this.#parts.link.answer(call, this.#parts.timeoutMs)
  }
}
