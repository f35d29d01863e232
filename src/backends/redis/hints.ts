import type { Redis } from 'ioredis'
import type { BackendOptions } from '../../backend.ts'
import type { Clock } from '../../clock.ts'
import { systemClock } from '../../clock.ts'
import { jobEventTypes } from '../../ledger.ts'
import { eventsOf, jobsIn, Wake } from '../wake.ts'

/** How often a silent subscription is asked whether it still lives. */
const PING_MS = 5000

/**
 * The connection for waiting: hears which queues have jobs that can start, and which events there were. Opened when somebody
 * first waits. A hint that is lost costs a poll; a subscription that was away wakes everybody when it is back.
 */
export class Hints extends Wake {
  readonly #make: () => Redis
  readonly #base: string
  readonly #options: BackendOptions
  #client: Redis | undefined
  #hearsEvents = false
  #cancelPing = (): void => {}
  #closed = false

  constructor(make: () => Redis, base: string, options: BackendOptions) {
    super(options.clock)
    this.#make = make
    this.#base = base
    this.#options = options
  }

  override listen(topic: string, ms: number, signal: AbortSignal): ReturnType<Wake['listen']> {
    const listening = super.listen(topic, ms, signal)
    const isEvent = topic.startsWith(eventsOf())
    if (!this.#closed && (this.#client === undefined || (isEvent && !this.#hearsEvents))) this.#hear(isEvent)
    return listening
  }

  close(): void {
    this.#closed = true
    this.#cancelPing()
    this.#client?.disconnect()
    this.notify()
  }

  #hear(events: boolean): void {
    this.#hearsEvents ||= events
    if (this.#client !== undefined) {
      this.#subscribe()
      return
    }
    const client = this.#make()
    this.#client = client
    client.on('error', () => {})
    client.on('ready', () => this.#subscribe())
    client.on('message', (channel: string, message: string) => this.#tell(channel, message))
    client.connect().catch(() => {})
    this.#ping(systemClock)
  }

  #subscribe(): void {
    const client = this.#client
    if (client?.status !== 'ready') return
    const channels = [`${this.#base}jobs`, ...(this.#hearsEvents ? [`${this.#base}events`] : [])]
    client.subscribe(...channels).then(
      () => this.notify(),
      (error: unknown) => {
        if (this.#closed) return
        this.#options.logger.warn(
          { error: String(error) },
          'hints of redis are not heard; jobs are found by polling',
        )
      },
    )
  }

  #tell(channel: string, message: string): void {
    if (channel === `${this.#base}jobs`) {
      this.notify(jobsIn(message))
      return
    }
    const mask = Number(message)
    this.notify(eventsOf())
    jobEventTypes.forEach((type, nth) => {
      if ((mask & (1 << nth)) !== 0) this.notify(eventsOf(type))
    })
  }

  /** A socket that does not answer is destroyed by its timeout, and a new one is made. */
  #ping(clock: Clock): void {
    this.#cancelPing = clock.after(PING_MS, () => {
      this.#client?.ping().catch(() => {})
      if (!this.#closed) this.#ping(clock)
    })
  }
}
