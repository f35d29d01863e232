import type { Answer } from '../http/answer.ts'
import { Channel } from '../http/channel.ts'
import { OffloadError } from '../job/errors.ts'

const HEARTBEAT_MS = 15_000
/** Characters that a slow page may leave untaken. */
const MOST_UNTAKEN = 1_000_000
const RETRY_MS = 2000

/** The open streams of all pages (https://html.spec.whatwg.org/multipage/server-sent-events.html). */
export class Streams {
  readonly #most: number
  readonly #open = new Set<Channel>()
  #heart: NodeJS.Timeout | undefined
  #isClosed = false

  constructor(most: number) {
    this.#most = most
  }

  /** A stream for a page; `onEnd` is called once, when it has left. @throws QUEUE_FULL, CLOSED */
  open(onEnd: (channel: Channel) => void): Channel {
    if (this.#isClosed) throw new OffloadError('CLOSED', 'this dashboard was closed')
    if (this.#open.size >= this.#most)
      throw new OffloadError('QUEUE_FULL', 'too many streams are open', { retryAfterMs: 5000 })
    const channel: Channel = new Channel(MOST_UNTAKEN, () => {
      this.#open.delete(channel)
      if (this.#open.size === 0) this.#rest()
      onEnd(channel)
    })
    this.#open.add(channel)
    this.#heart ??= setInterval(() => this.#beat(), HEARTBEAT_MS).unref()
    channel.push(`retry: ${RETRY_MS}\n\n`)
    return channel
  }

  close(): void {
    this.#isClosed = true
    for (const channel of [...this.#open]) channel.end()
  }

  #beat(): void {
    for (const channel of this.#open) channel.push(':\n\n')
  }

  #rest(): void {
    clearInterval(this.#heart)
    this.#heart = undefined
  }
}

/** JSON text has no line ends of its own. */
export function eventText(name: string, data: object): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`
}

export function streamAnswer(channel: Channel): Answer {
  return {
    status: 200,
    headers: { 'content-type': 'text/event-stream', 'x-accel-buffering': 'no' },
    body: channel,
  }
}
