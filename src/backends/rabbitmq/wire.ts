import type { BackendOptions } from '../../backend.ts'
import type { WaitingWant } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import type { Part } from './delivery.ts'
import type { Publisher as By } from './envelope.ts'
import { Inbox } from './inbox.ts'
import type { Connect } from './link.ts'
import { Link } from './link.ts'
import type { Location } from './location.ts'
import type { Content, Route } from './message.ts'
import { contentOf, received } from './message.ts'
import type { Names } from './names.ts'
import { namesOf } from './names.ts'
import type { Outgoing } from './outlet.ts'
import { packOf } from './pack.ts'
import { Publisher } from './publisher.ts'
import type { Ready, Sent } from './sender.ts'
import { Sender } from './sender.ts'
import { Topology } from './topology.ts'
import type { Unacked } from './unacked.ts'
import { optional } from './untrusted.ts'

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
  readonly #sender: Sender
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
    this.#sender = new Sender(new Publisher(this.#publishing, options.timeoutMs), this.topology)
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

  /** See {@link Sender.send}. */
  publish<M extends Outgoing>(messages: readonly M[], ready: Ready<M>): Promise<readonly Sent[]> {
    return this.#sender.send(messages, ready)
  }

  take(queue: string, want: WaitingWant): Promise<Part[]> {
    return this.#inbox(queue).take(want.limit, want)
  }

  /** They wait here again, first of all. */
  putBack(queue: string, parts: readonly Part[]): void {
    this.#inbox(queue).putBack(parts)
  }

  /** The server takes them back, and counts it. */
  takeBack(parts: readonly Part[]): void {
    for (const part of parts) {
      if (part.isEnded) continue
      part.isEnded = true
      part.delivery.unacked.giveBack([part.delivery.tag])
    }
  }

  /** Messages that were received here and not acknowledged. */
  held(queue: string): number {
    return this.#inboxes.get(queue)?.held ?? 0
  }

  /** Keeps the order of a queue: what comes in the place of these would have to go back to its end where nobody asks for it. */
  settling(parts: readonly (Part | undefined)[]): void {
    let told: string | undefined
    for (const part of parts) {
      if (part === undefined || part.job.queue === told) continue
      told = part.job.queue
      this.#inboxes.get(told)?.settling()
    }
  }

  /** Ends jobs: a message is acknowledged with the last of its. False where the server has taken it back. */
  end(parts: readonly Part[]): boolean[] {
    const over = new Map<Unacked, number[]>()
    const held = parts.map((part) => {
      const { delivery } = part
      const { unacked, tag } = delivery
      if (part.isEnded || !unacked.isOpen) return false
      part.isEnded = true
      if (--delivery.left > 0) return true
      const tags = over.get(unacked)
      if (tags === undefined) over.set(unacked, [tag])
      else tags.push(tag)
      return true
    })
    const lost = new Set<Unacked>()
    for (const [unacked, tags] of over) if (!unacked.ack(tags)) lost.add(unacked)
    if (lost.size === 0) return held
    return held.map((isHeld, at) => isHeld && !lost.has((parts[at] as Part).delivery.unacked))
  }

  /**
   * Puts jobs back at the end of their queue, as they were: a message that the server itself takes back counts as delivered
   * once more, and from RabbitMQ 4 on is dropped after twenty times. Where it takes no messages, it must. Never rejects.
   */
  async giveBack(parts: readonly Part[]): Promise<void> {
    const held = parts.filter(({ delivery, isEnded }) => !isEnded && delivery.unacked.isOpen)
    if (held.length === 0) return
    try {
      const verdicts = await this.publish(
        held.map((part) => this.#copyOf(part)),
        (queue) => this.topology.queue(queue),
      )
      this.end(held.filter((_, at) => verdicts[at] === 'confirmed'))
      this.takeBack(held.filter((_, at) => verdicts[at] !== 'confirmed'))
    } catch {
      this.takeBack(held)
    }
  }

  async close(): Promise<void> {
    await Promise.all([...this.#inboxes.values()].map((inbox) => inbox.close()))
    await Promise.all([this.#publishing.close(), this.#consuming.close()])
  }

  /** As it was received, a stranger's too; a job out of a pack alone. */
  #copyOf({ job, attempts, delivery }: Part): Outgoing {
    const { isPack, appId, contentType, raw } = delivery
    const { body, properties } = this.messageOf([job], attempts)
    const { appId: _, contentType: json, ...rest } = properties
    return {
      exchange: this.names.jobs,
      key: job.queue,
      queue: job.queue,
      body: raw ?? body,
      properties: {
        ...rest,
        ...optional('appId', appId),
        ...optional('contentType', isPack ? json : contentType),
      },
    }
  }

  #inbox(queue: string): Inbox {
    let inbox = this.#inboxes.get(queue)
    if (inbox === undefined) {
      inbox = new Inbox({
        link: this.#consuming,
        timeoutMs: this.#options.timeoutMs,
        ready: async () => {
          await this.topology.queue(queue)
          await this.topology.routes(queue)
          return this.names.work(queue).name
        },
        packed: this.packed,
        unpack: (message) => received(message, queue, this.#routes, Date.now()),
        gone: () => this.topology.forget(),
        giveBack: (parts) => this.giveBack(parts),
      })
      this.#inboxes.set(queue, inbox)
    }
    return inbox
  }
}
