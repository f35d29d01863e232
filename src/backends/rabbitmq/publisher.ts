import type { ChannelModel, ConfirmChannel } from 'amqplib'
import { sleep, systemClock } from '../../clock.ts'
import type { OffloadError } from '../../job/errors.ts'
import { BackendError } from '../../job/errors.ts'
import { ACCESS_REFUSED, coded, NOT_FOUND, PRECONDITION_FAILED } from './faults.ts'
import type { Link } from './link.ts'
import { blockedBy } from './link.ts'
import type { Outgoing, Outlet } from './outlet.ts'
import { outletOf } from './outlet.ts'

/**
 * `refused`: the queue is full. `returned`: no queue is bound to the key. `tooLong`: for this server, whatever the queue. An error:
 * what is wrong with its queue, or that the server said nothing of this message.
 */
export type Verdict = 'confirmed' | 'refused' | 'returned' | 'tooLong' | OffloadError

/** What is left of a call whose connection went is published again after so long. */
const AGAIN_MS = 50
/** Where a queue is full all is refused: channels are not opened more often for it. */
const RENEW_MS = 500
/** What the library says of a message that the server refused. */
const NACKED = 'message nacked'

/** An exchange is gone: the server has closed the channel, with all that was under way on it. */
const isMissing = (error: unknown): boolean => (error as { code?: unknown }).code === NOT_FOUND

/** How long a body may be, where the server says that one is longer; which, it does not tell. */
function longestIn(error: unknown): number | undefined {
  const [, bytes] = /larger than configured max size (\d+)/.exec((error as Error).message) ?? []
  return bytes === undefined ? undefined : Number(bytes)
}

/** The server refuses it, now and later. */
function isFinal(error: unknown): boolean {
  const { code } = error as { code?: unknown }
  return code === ACCESS_REFUSED || code === PRECONDITION_FAILED
}

interface Open {
  readonly model: ChannelModel
  readonly channel: Promise<Confirmed>
  readonly at: number
}

/** Publishes with confirms, over a channel that is opened anew with each connection. */
export class Publisher {
  readonly #link: Link
  readonly #timeoutMs: number
  #open: Open | undefined
  /** What this connection has said of the length of a body. */
  #longest = Number.POSITIVE_INFINITY

  constructor(link: Link, timeoutMs: number) {
    this.#link = link
    this.#timeoutMs = timeoutMs
    link.onLost(() => {
      this.#longest = Number.POSITIVE_INFINITY
    })
  }

  /**
   * Resolves once the server has answered for every message, or for some of them and the time is up. What a lost connection left
   * unanswered is published again, so that a message may be there twice. @throws BackendError where it answered for none in
   * time: some may be there
   */
  async publish(messages: readonly Outgoing[]): Promise<readonly Verdict[]> {
    const { blocked } = this.#link
    if (blocked !== undefined) throw blockedBy(blocked, false)
    const until = systemClock.elapsed() + this.#timeoutMs
    const verdicts: (Verdict | undefined)[] = messages.map(() => undefined)
    for (;;) {
      try {
        await this.#send(messages, verdicts, until)
        if (!verdicts.includes('refused') || !this.#renew()) return verdicts as Verdict[]
        for (const [at, verdict] of verdicts.entries()) if (verdict === 'refused') verdicts[at] = undefined
      } catch (error) {
        const longest = longestIn(error)
        if (longest !== undefined) this.#longest = longest
        if (isMissing(error)) return verdicts.map((verdict) => verdict ?? 'returned')
        const isOver = longest === undefined && isFinal(error)
        if (error instanceof BackendError || isOver || systemClock.elapsed() >= until) {
          const fault = coded(error, 'did not confirm what was published')
          if (verdicts.every((verdict) => verdict === undefined)) throw fault
          return verdicts.map((verdict) => verdict ?? fault)
        }
        await sleep(systemClock, AGAIN_MS)
      }
    }
  }

  /** Publishes what has no verdict yet. */
  async #send(
    messages: readonly Outgoing[],
    verdicts: (Verdict | undefined)[],
    until: number,
  ): Promise<void> {
    const leftMs = (): number => until - systemClock.elapsed()
    const model = await this.#link.up(leftMs())
    const channel = await this.#link.answer(this.#channel(model), leftMs())
    for (const [at, { body }] of messages.entries())
      if (body.length > this.#longest) verdicts[at] ??= 'tooLong'
    await this.#link.answer(channel.send(messages, verdicts), leftMs())
  }

  /**
   * A channel that took a dead node for the leader of a queue refuses all that is for it, for good (RabbitMQ 3.10). So what is
   * refused is published once more over a new one; false where the channel is new.
   */
  #renew(): boolean {
    const old = this.#open
    if (old === undefined) return true
    if (systemClock.elapsed() - old.at < RENEW_MS) return false
    this.#open = undefined
    void old.channel.then((channel) => channel.close())
    return true
  }

  #channel(model: ChannelModel): Promise<Confirmed> {
    if (this.#open?.model !== model) {
      const channel = model.createConfirmChannel().then((one) => new Confirmed(one))
      const open = { model, channel, at: systemClock.elapsed() }
      this.#open = open
      const forget = (): void => {
        if (this.#open === open) this.#open = undefined
      }
      channel.then(({ ended }) => ended.then(forget), forget)
    }
    return this.#open.channel
  }
}

/** A channel in confirm mode. */
class Confirmed {
  readonly ended: Promise<void>
  readonly #channel: ConfirmChannel
  readonly #outlet: Outlet
  /** Ids of messages that came back and whose confirm is still to come. */
  readonly #returned = new Set<string>()
  /** Calls that are not answered for. */
  #sending = 0
  #isClosing = false
  /** Why the server closed it. */
  #error: Error | undefined

  constructor(channel: ConfirmChannel) {
    this.#channel = channel
    this.#outlet = outletOf(channel)
    this.ended = new Promise((resolve) => channel.on('close', resolve))
    channel.on('error', (error) => {
      this.#error = error
    })
    channel.on('return', ({ properties }) => void this.#returned.add(String(properties.messageId)))
  }

  /** Once all that was sent has been answered for. */
  close(): void {
    this.#isClosing = true
    if (this.#sending === 0) void this.#channel.close().catch(() => {})
  }

  send(messages: readonly Outgoing[], verdicts: (Verdict | undefined)[]): Promise<void> {
    return new Promise((resolve, reject) => {
      let left = 1
      this.#sending++
      const one = (): void => {
        if (--left > 0) return
        resolve()
        this.#sending--
        if (this.#isClosing) this.close()
      }
      try {
        for (const [at, message] of messages.entries()) {
          if (verdicts[at] !== undefined) continue
          this.#outlet.add(message, (error) => {
            if (error !== null && error.message !== NACKED) return reject(this.#error ?? error)
            verdicts[at] = error === null ? this.#confirmed(message) : 'refused'
            one()
          })
          left++
        }
      } finally {
        this.#outlet.flush()
      }
      one()
    })
  }

  /** What was returned is confirmed all the same. */
  #confirmed({ properties }: Outgoing): Verdict {
    const isReturned = this.#returned.size > 0 && this.#returned.delete(properties.messageId)
    return isReturned ? 'returned' : 'confirmed'
  }
}
