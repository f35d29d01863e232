import type { ConsumeMessage } from 'amqplib'
import type { WaitingWant } from '../../broker.ts'
import { systemClock } from '../../clock.ts'
import { Asks } from './asks.ts'
import { Delivery, Part } from './delivery.ts'
import { coded } from './faults.ts'
import { Feed } from './feed.ts'
import type { Link } from './link.ts'
import { closed } from './link.ts'
import type { Received } from './message.ts'
import type { InHand } from './unacked.ts'

/** Where nobody asks for so long no more messages come, and those that came are given back, so that others can have them. */
const KEEP_MS = 250
/** A claim waits so long for a lost connection; who claims is told of it before, once. */
const RECONNECT_MS = 30_000
/** A consumer has room for what lately ended in so long: another one, when it has all that it may have, costs three round trips. */
const AHEAD_MS = 20
const MOST_PREFETCHED = 2000
const FEW = 8

export interface InboxParts {
  readonly link: Link
  /** Of a call to the server. */
  readonly timeoutMs: number
  /** Sees to it that the queue is there, and answers its name. */
  readonly ready: () => Promise<string>
  /** Jobs that a message may have: so many are taken to be in one until some have come. */
  readonly packed: number
  readonly unpack: (message: ConsumeMessage) => readonly Received[]
  /** The queue may be gone. */
  readonly gone: () => void
  /** Puts back into the queue what is not wanted here. Never rejects. */
  readonly giveBack: (parts: readonly Part[]) => Promise<void>
}

interface Waiter {
  readonly limit: number
  readonly onWaiting: (() => void) | undefined
  readonly resolve: (parts: Part[]) => void
  readonly reject: (error: unknown) => void
}

/**
 * The messages of one queue that came to this process. It consumes as long as somebody asks, with room for what was asked and
 * what is in hand, and gives back what it has too much of.
 */
export class Inbox {
  readonly #parts: InboxParts
  #buffer: Part[] = []
  readonly #waiters = new Set<Waiter>()
  #feed: Feed | undefined
  /** Jobs wanted at once lately. */
  #wanted = 1
  readonly #asks = new Asks()
  /** Jobs in a message, on the average lately. */
  #density: number
  #tending: Promise<void> | undefined
  #handing = false
  #cancelIdle: (() => void) | undefined
  #isClosed = false

  constructor(parts: InboxParts) {
    this.#parts = parts
    this.#density = parts.packed
    parts.link.onLost((error) => this.#lose(error))
  }

  /** Messages that came, and were neither acknowledged nor given back. */
  get held(): number {
    return this.#feed?.unacked.size ?? 0
  }

  /** Waits for at least one job, and takes up to `limit`. Empty once `signal` aborts. */
  take(limit: number, { signal, onWaiting }: Pick<WaitingWant, 'signal' | 'onWaiting'>): Promise<Part[]> {
    if (signal.aborted) return Promise.resolve([])
    if (this.#isClosed) return Promise.reject(closed())
    this.#cancelIdle?.()
    this.#cancelIdle = undefined
    this.#wanted = Math.max(this.#asked() + limit, Math.floor(this.#wanted / 2))
    this.#asks.note(signal)
    if (this.#buffer.length > 0 && this.#waiters.size === 0) {
      const taken = this.#buffer.splice(0, limit)
      this.#rest()
      return Promise.resolve(taken)
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiters.delete(waiter)
        end()
        resolve([])
        this.#rest()
      }
      const end = (): void => signal.removeEventListener('abort', onAbort)
      const waiter: Waiter = {
        limit,
        onWaiting,
        resolve: (parts) => {
          end()
          resolve(parts)
        },
        reject: (error) => {
          end()
          reject(error)
        },
      }
      signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(waiter)
      void this.#tend()
    })
  }

  /** They wait here again, first of all. */
  putBack(parts: readonly Part[]): void {
    this.#buffer.unshift(...parts.filter(({ delivery }) => delivery.unacked.isOpen))
    this.#rest()
  }

  /** Messages are about to be acknowledged: where nobody asks, none must come in their place. */
  settling(): void {
    if (this.#waiters.size > 0 || this.#feed?.isFull !== true || this.#isAskedAgain()) return
    void this.#feed.endFull().catch(() => {})
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelIdle?.()
    for (const waiter of this.#drop()) waiter.resolve([])
    await this.#tending
    await this.#feed?.endAll().catch(() => {})
    await this.#giveBack()
    await this.#feed?.close()
  }

  /** Sees to it that there is room for what is waited for. */
  #tend(): Promise<void> {
    this.#tending ??= this.#tendOnce().finally(() => {
      this.#tending = undefined
      this.#rest()
    })
    return this.#tending
  }

  async #tendOnce(): Promise<void> {
    try {
      while (this.#waiters.size > 0 && !this.#isClosed) {
        const feed = await this.#fed()
        if (this.#hasTooMuch()) await this.#shrink(feed)
        if (feed.isConsuming && (this.#buffer.length > 0 || this.#hasRoom(feed))) {
          for (const { onWaiting } of this.#waiters) onWaiting?.()
          break
        }
        const name = await this.#parts.ready()
        const wanted = Math.ceil(this.#asked() / this.#density)
        await feed.consume(name, prefetchOf(wanted + Math.floor(feed.endedWithin(AHEAD_MS))))
      }
    } catch (error) {
      this.#parts.gone()
      this.#leave()
      for (const waiter of this.#drop()) waiter.reject(coded(error, 'cannot be consumed from'))
    }
  }

  /** Nobody waits now, but many are about to be asked for. */
  #isAskedAgain(): boolean {
    return this.#asks.willComeAgain && this.#wanted > FEW && !this.#hasTooMuch()
  }

  /** Jobs that are waited for. */
  #asked(): number {
    let asked = 0
    for (const { limit } of this.#waiters) asked += limit
    return asked
  }

  /** More room costs some round trips. */
  #hasRoom({ room }: Feed): boolean {
    return room * this.#density >= this.#asked() / 2
  }

  #hasTooMuch(): boolean {
    return this.#buffer.length > Math.max(FEW, this.#wanted * 8)
  }

  /** Others may have nothing to do. */
  async #shrink(feed: Feed): Promise<void> {
    await feed.endAll()
    await this.#parts.giveBack(this.#buffer.splice(this.#wanted))
  }

  async #fed(): Promise<Feed> {
    const { link, timeoutMs } = this.#parts
    const model = await link.up(RECONNECT_MS)
    if (this.#feed?.model === model && this.#feed.unacked.isOpen) return this.#feed
    const feed = await Feed.over(model, {
      link,
      timeoutMs,
      onMessage: (message, inHand, from) => this.#arrived(from, inHand, message),
      onGone: (from) => {
        this.#parts.gone()
        from.unacked.leave()
        if (this.#feed !== from) return
        this.#feed = undefined
        void this.#tend()
      },
      onClose: (error, from) => {
        if (this.#feed === from) this.#lose(error)
      },
    })
    this.#feed = feed
    return feed
  }

  /** A channel that did not answer. */
  #leave(): void {
    const feed = this.#feed
    this.#feed = undefined
    feed?.leave()
  }

  #arrived(feed: Feed, inHand: InHand, message: ConsumeMessage): void {
    const { deliveryTag } = message.fields
    feed.unacked.add(deliveryTag, inHand)
    if (feed !== this.#feed) {
      feed.unacked.giveBack([deliveryTag])
      return
    }
    const jobs = this.#parts.unpack(message)
    this.#density += (jobs.length - this.#density) / 8
    const delivery = new Delivery(message, feed.unacked, jobs)
    for (const job of jobs) this.#buffer.push(new Part(job, delivery))
    // All that came in one packet is handed over together.
    if (this.#handing) return
    this.#handing = true
    setImmediate(() => {
      this.#handing = false
      this.#handOver()
    })
  }

  #handOver(): void {
    // What comes unasked must not put off that all of it goes back.
    if (this.#waiters.size === 0 && this.#cancelIdle !== undefined) return
    for (const waiter of this.#waiters) {
      if (this.#buffer.length === 0) break
      this.#waiters.delete(waiter)
      waiter.resolve(this.#buffer.splice(0, waiter.limit))
    }
    if (this.#waiters.size > 0) void this.#tend()
    this.#rest()
  }

  /** Where nobody asks any more nothing has to come, and soon what is here goes back. */
  #rest(): void {
    this.#cancelIdle?.()
    this.#cancelIdle = undefined
    if (this.#waiters.size > 0 || this.#isClosed) return
    this.#cancelIdle = systemClock.after(KEEP_MS, () => {
      this.#cancelIdle = undefined
      void this.#stop()
    })
  }

  async #stop(): Promise<void> {
    if (this.#tending !== undefined) return
    await this.#feed?.endAll().catch(() => {})
    if (this.#waiters.size > 0 && !this.#isClosed) return this.#tend()
    await this.#giveBack()
  }

  #giveBack(): Promise<void> {
    return this.#parts.giveBack(this.#buffer.splice(0))
  }

  /** The server has taken back everything that came over the channel. */
  #lose(error: unknown): void {
    this.#feed = undefined
    this.#buffer = []
    this.#parts.gone()
    for (const waiter of this.#drop()) waiter.reject(coded(error, 'went away while jobs were waited for'))
  }

  #drop(): readonly Waiter[] {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    return waiters
  }
}

/** Messages ahead: so many as are wanted; of many twice so many, in steps of two, for the server counts what is in hand. */
function prefetchOf(wanted: number): number {
  return wanted <= FEW ? wanted : Math.min(MOST_PREFETCHED, 2 ** Math.ceil(Math.log2(wanted * 2)))
}
