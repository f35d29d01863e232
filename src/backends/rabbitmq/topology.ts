import type { Channel, ChannelModel } from 'amqplib'
import { sleep, systemClock } from '../../clock.ts'
import { coded, mismatch, missing, NOT_FOUND, PRECONDITION_FAILED } from './faults.ts'
import type { Link } from './link.ts'
import type { Route } from './message.ts'
import type { Names, QueueShape } from './names.ts'

/**
 * A queue that was deleted is made anew after so long. Where it is there again before RabbitMQ 3.10 has told the consumers of the
 * old one, they are not told, and get nothing from the new one for ever.
 */
const DELETED_MS = 500

/** Sees to it that queues and exchanges are there: makes them, or with `declare=false` looks whether they are. */
export class Topology {
  readonly #link: Link
  readonly #names: Names
  readonly #declares: boolean
  readonly #routes: readonly Route[]
  readonly #timeoutMs: number
  /** What is known to be there, by name. */
  readonly #there = new Map<string, Promise<void>>()
  /** Queues that were there once. */
  readonly #made = new Set<string>()
  #open: { readonly model: ChannelModel; readonly channel: Promise<Channel> } | undefined
  #last: Promise<unknown> = Promise.resolve()

  constructor(link: Link, names: Names, declares: boolean, routes: readonly Route[], timeoutMs: number) {
    this.#link = link
    this.#names = names
    this.#declares = declares
    this.#routes = routes
    this.#timeoutMs = timeoutMs
    link.onLost(() => this.forget())
  }

  /** The queue that workers consume, its dead letters, and what leads to both. @throws BackendError that says what to do */
  queue(queue: string): Promise<void> {
    const { jobs, dead, work, deadLetters } = this.#names
    return this.#once(`queue ${queue}`, async () => {
      await this.#exchange(dead)
      await this.#queue(deadLetters(queue))
      await this.#bind(deadLetters(queue), dead, queue)
      await this.#exchange(jobs)
      await this.#queue(work(queue))
      await this.#bind(work(queue), jobs, queue)
    })
  }

  /** What leads from the exchanges of strangers to the queue. @throws BackendError where one is missing */
  routes(queue: string): Promise<void> {
    return this.#once(`routes ${queue}`, async () => {
      for (const route of this.#routes)
        if (route.queue === queue) await this.#bind(this.#names.work(queue), route.exchange, route.key)
    })
  }

  /** The rung of the ladder that holds messages for so long. */
  delay(queue: string, ms: number): Promise<void> {
    const shape = this.#names.delay(queue, ms)
    return this.#once(shape.name, async () => {
      await this.#exchange(this.#names.delays)
      await this.#queue(shape)
      await this.#bind(shape, this.#names.delays, shape.name)
    })
  }

  /** How many messages wait there. @throws BackendError, also where it is gone */
  async count({ name }: QueueShape): Promise<number> {
    try {
      const { messageCount } = await this.#do((channel) => channel.checkQueue(name))
      return messageCount
    } catch (error) {
      this.forget()
      throw coded(error, 'did not count a queue')
    }
  }

  /** Everything is looked for again. */
  forget(): void {
    this.#there.clear()
  }

  #once(what: string, make: () => Promise<void>): Promise<void> {
    let there = this.#there.get(what)
    if (there === undefined) {
      there = make()
      this.#there.set(what, there)
      const made = there
      made.catch(() => {
        if (this.#there.get(what) === made) this.#there.delete(what)
      })
    }
    return there
  }

  async #queue(shape: QueueShape): Promise<void> {
    const { name } = shape
    try {
      if (this.#declares) {
        if (this.#made.has(name) && !(await this.#isThere(name))) await sleep(systemClock, DELETED_MS)
        await this.#do((channel) => channel.assertQueue(name, { durable: true, arguments: shape.arguments }))
        this.#made.add(name)
      } else await this.#do((channel) => channel.checkQueue(name))
    } catch (error) {
      const { code } = error as { code?: unknown }
      if (code === PRECONDITION_FAILED) throw mismatch(shape, error as Error)
      if (code === NOT_FOUND && !this.#declares) throw missing(shape, error as Error)
      throw coded(error, 'did not make a queue')
    }
  }

  async #isThere(name: string): Promise<boolean> {
    try {
      await this.#do((channel) => channel.checkQueue(name))
      return true
    } catch (error) {
      if ((error as { code?: unknown }).code === NOT_FOUND) return false
      throw error
    }
  }

  async #exchange(name: string): Promise<void> {
    if (!this.#declares) return
    try {
      await this.#do((channel) => channel.assertExchange(name, 'direct', { durable: true }))
    } catch (error) {
      throw coded(error, 'did not make an exchange')
    }
  }

  async #bind({ name }: QueueShape, exchange: string, key: string): Promise<void> {
    if (!this.#declares) return
    try {
      await this.#do((channel) => channel.bindQueue(name, exchange, key))
    } catch (error) {
      throw coded(error, `did not bind queue "${name}" to exchange "${exchange}"`)
    }
  }

  /** One at a time: a refusal closes the channel, and must not end another call. */
  #do<T>(work: (channel: Channel) => Promise<T>): Promise<T> {
    const done = this.#last.then(async () => {
      const model = await this.#link.up(this.#timeoutMs)
      const channel = await this.#link.answer(this.#channel(model), this.#timeoutMs)
      return this.#link.answer(work(channel), this.#timeoutMs)
    })
    this.#last = done.catch(() => {})
    return done
  }

  #channel(model: ChannelModel): Promise<Channel> {
    if (this.#open?.model === model) return this.#open.channel
    const open = { model, channel: model.createChannel() }
    this.#open = open
    const forget = (): void => {
      if (this.#open === open) this.#open = undefined
    }
    open.channel.then((channel) => {
      channel.on('error', () => {})
      channel.on('close', forget)
    }, forget)
    return open.channel
  }
}
