import type { ConsumeMessage } from 'amqplib'
import type { BackendOptions } from '../../backend.ts'
import { BackendError } from '../../job/errors.ts'
import type { Job } from '../../job/job.ts'
import type { Part } from './inbox.ts'
import { Inbox } from './inbox.ts'
import type { Connect } from './link.ts'
import { Link } from './link.ts'
import type { Location } from './location.ts'
import type { Publisher as By, Content, Route } from './message.ts'
import { contentOf, received } from './message.ts'
import type { Names } from './names.ts'
import { namesOf } from './names.ts'
import { isPack, packOf } from './pack.ts'
import type { Outgoing, Verdict } from './publisher.ts'
import { isMissing, Publisher } from './publisher.ts'
import { Topology } from './topology.ts'

/**
 * Everything that goes to the server and comes from it. Two connections a process: a server that is short of memory or disk stops
 * reading from who publishes, and acknowledgements must get through all the same.
 */
export class Wire {
  readonly names: Names
  readonly packed: number
  readonly ackTimeoutMs: number
  readonly topology: Topology
  readonly #by: By
  readonly #options: BackendOptions
  readonly #routes: readonly Route[]
  readonly #publishing: Link
  readonly #consuming: Link
  readonly #publisher: Publisher
  readonly #inboxes = new Map<string, Inbox>()

  constructor(connect: Connect, at: Location, routes: readonly Route[], by: By, options: BackendOptions) {
    this.names = namesOf(at.prefix)
    this.packed = at.packed
    this.ackTimeoutMs = at.ackTimeoutMs
    this.#by = by
    this.#options = options
    this.#routes = routes
    this.#publishing = new Link(connect)
    this.#consuming = new Link(connect)
    this.topology = new Topology(this.#consuming, this.names, at.declare, routes, options.timeoutMs)
    this.#publisher = new Publisher(this.#publishing, options.timeoutMs)
  }

  /** The first connections. Answers the server's version. @throws BackendError */
  async open(): Promise<string> {
    const { timeoutMs } = this.#options
    const [model] = await Promise.all([this.#publishing.open(timeoutMs), this.#consuming.open(timeoutMs)])
    return model.connection.serverProperties.version
  }

  /** A message of jobs of one queue. */
  messageOf(jobs: readonly Job[], attempts = 0): Content {
    const [first] = jobs as readonly [Job]
    return jobs.length === 1 ? contentOf(first, attempts, this.#by) : packOf(jobs, this.#by)
  }

  /** Publishes once the queues are there; what finds none is published once more. */
  async publish(messages: readonly Outgoing[], ready: () => Promise<unknown>): Promise<readonly Verdict[]> {
    await ready()
    const verdicts = await this.#publisher.publish(messages).catch((error: unknown) => {
      if (isMissing(error)) return messages.map((): Verdict => 'returned')
      throw error
    })
    if (!verdicts.includes('returned')) return verdicts
    this.topology.forget()
    await ready()
    const lost = messages.filter((_, at) => verdicts[at] === 'returned')
    const again = [...(await this.#publisher.publish(lost))]
    if (again.includes('returned'))
      throw new BackendError(
        'BACKEND_UNAVAILABLE',
        `rabbitmq has no queue for "${lost[0]?.exchange}" with the key "${lost[0]?.key}": bind it, or leave out declare=false; nothing was accepted`,
        { retryAfterMs: 1000 },
      )
    return verdicts.map((verdict) => (verdict === 'returned' ? (again.shift() as Verdict) : verdict))
  }

  take(queue: string, limit: number, signal: AbortSignal): Promise<Part[]> {
    return this.#inbox(queue).take(limit, signal)
  }

  /** Messages that were received here and not acknowledged. */
  held(queue: string): number {
    return this.#inboxes.get(queue)?.held ?? 0
  }

  /** Keeps the order of a queue: what comes in the place of these would have to go back to its end where nobody asks for it. */
  settling(parts: readonly Part[]): void {
    for (const queue of new Set(parts.map(({ job }) => job.queue))) this.#inboxes.get(queue)?.settling()
  }

  /** Ends jobs: a message is acknowledged with the last of its. False where the server has taken it back. */
  end(parts: readonly Part[]): boolean[] {
    const over = new Map<Part['delivery']['unacked'], ConsumeMessage[]>()
    const held = parts.map((part) => {
      const { delivery } = part
      const { unacked, message } = delivery
      if (part.isEnded || !unacked.isOpen) return false
      part.isEnded = true
      if (--delivery.left > 0) return true
      const messages = over.get(unacked)
      if (messages === undefined) over.set(unacked, [message])
      else messages.push(message)
      return true
    })
    for (const [unacked, messages] of over) unacked.ack(messages)
    return held
  }

  /**
   * Puts jobs back at the end of their queue, as they were: a message that the server itself takes back counts as delivered
   * once more, and from RabbitMQ 4 on is dropped after twenty times. Where it takes no messages, it must. Never rejects.
   */
  async giveBack(parts: readonly Part[]): Promise<void> {
    const held = parts.filter(({ delivery }) => delivery.unacked.isOpen)
    if (held.length === 0) return
    try {
      const queues = new Set(held.map(({ job }) => job.queue))
      const verdicts = await this.publish(
        held.map((part) => this.#copyOf(part)),
        () => Promise.all([...queues].map((queue) => this.topology.queue(queue))),
      )
      this.end(held.filter((_, at) => verdicts[at] === 'confirmed'))
      takeBack(held.filter((_, at) => verdicts[at] !== 'confirmed'))
    } catch {
      takeBack(held)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#inboxes.values()].map((inbox) => inbox.close()))
    await Promise.all([this.#publishing.close(), this.#consuming.close()])
  }

  /** As it was received; a job out of a pack alone. What a stranger published stays a stranger's: the ledger does not know it yet. */
  #copyOf({ job, attempts, delivery }: Part): Outgoing {
    const { content, properties } = delivery.message
    const own = this.messageOf([job], attempts)
    return {
      exchange: this.names.jobs,
      key: job.queue,
      body: isPack(properties) ? own.body : content,
      properties: { ...own.properties, appId: properties.appId },
    }
  }

  #inbox(queue: string): Inbox {
    let inbox = this.#inboxes.get(queue)
    if (inbox === undefined) {
      inbox = new Inbox({
        link: this.#consuming,
        ready: async () => {
          await this.topology.queue(queue)
          return this.names.work(queue).name
        },
        unpack: (message) => received(message, queue, this.#routes, Date.now()),
        gone: () => this.topology.forget(),
        giveBack: (parts) => this.giveBack(parts),
      })
      this.#inboxes.set(queue, inbox)
    }
    return inbox
  }
}

function takeBack(parts: readonly Part[]): void {
  for (const { delivery } of parts) delivery.unacked.giveBack([delivery.message])
}
