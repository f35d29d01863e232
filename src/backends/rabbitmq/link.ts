import type { ChannelModel } from 'amqplib'
import { sleep, systemClock } from '../../clock.ts'
import { BackendError } from '../../job/errors.ts'
import { CONNECT, coded } from './faults.ts'

/** Who does not answer for so long is given up. */
const LEAST_PATIENCE_MS = 500
/** First wait before the servers are tried again, and the longest; each is shortened by up to a half at random. */
const RETRY_MS = 50
const LONGEST_RETRY_MS = 1000
const PROBE_MS = 5000

export type Connect = () => Promise<ChannelModel>

/** One connection, made again whenever it is lost, until closed. */
export class Link {
  readonly #connect: Connect
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  readonly #lostListeners = new Set<(error: Error) => void>()
  readonly #calls = new Set<(error: Error) => void>()
  #waiting: (() => void)[] = []
  #model: ChannelModel | undefined
  #lose: ((error: Error) => void) | undefined
  #lastError: unknown
  /** Why the server takes nothing from it for now. */
  #blocked: string | undefined

  constructor(connect: Connect) {
    this.#connect = connect
    this.#running = this.#run()
  }

  /** Why the server reads nothing from this connection for now: it is short of memory or disk. */
  get blocked(): string | undefined {
    return this.#blocked
  }

  /** The connection that stands, or undefined. */
  get current(): ChannelModel | undefined {
    return this.#model
  }

  /** Told each time the connection is lost. */
  onLost(listener: (error: Error) => void): void {
    this.#lostListeners.add(listener)
  }

  /** The connection, waited for. @throws BackendError when there is none in time, or it was closed */
  async up(timeoutMs: number, signal?: AbortSignal): Promise<ChannelModel> {
    const until = systemClock.elapsed() + timeoutMs
    while (this.#model === undefined) {
      if (this.#stopping.signal.aborted) throw closed()
      const leftMs = until - systemClock.elapsed()
      if (leftMs <= 0 || signal?.aborted === true)
        throw coded(this.#lastError ?? new Error('no server answered in time'), CONNECT)
      await this.#change(leftMs, signal)
    }
    return this.#model
  }

  /** The first connection. @throws BackendError as soon as it fails */
  async open(timeoutMs: number): Promise<ChannelModel> {
    const until = systemClock.elapsed() + timeoutMs
    while (this.#model === undefined && this.#lastError === undefined && systemClock.elapsed() < until)
      await this.#change(until - systemClock.elapsed())
    return this.up(0)
  }

  /** Sees whether the connection works; one that does not is given up. */
  check(): void {
    const model = this.#model
    if (model !== undefined) void this.answer(works(model), PROBE_MS).catch(() => {})
  }

  /**
   * What a call over the connection comes to. @throws as soon as the connection is lost or blocked; and where no answer comes in
   * time, for then it is given up, or looked after: the library would wait for it until heartbeats were missed
   */
  answer<T>(call: Promise<T>, ms: number, late: 'reset' | 'check' = 'reset'): Promise<T> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        cancel()
        this.#calls.delete(fail)
      }
      const fail = (error: Error): void => {
        end()
        reject(error)
      }
      const lose = this.#lose
      const cancel = systemClock.after(ms, () => {
        fail(unanswered(ms))
        // Where little of the time was left the connection may be well.
        if (late === 'check') this.check()
        else if (ms >= LEAST_PATIENCE_MS) lose?.(unanswered(ms))
      })
      this.#calls.add(fail)
      call.then((value) => {
        end()
        resolve(value)
      }, fail)
    })
  }

  async close(): Promise<void> {
    this.#stopping.abort()
    this.#lose?.(closed())
    this.#changed()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      try {
        await this.#hold(await this.#connect(), () => {
          failures = 0
        })
      } catch (error) {
        this.#lastError = error
        this.#changed()
        const wait = Math.min(RETRY_MS * 2 ** Math.min(failures++, 10), LONGEST_RETRY_MS)
        await sleep(systemClock, wait * (0.5 + Math.random() / 2), signal)
      }
    }
  }

  /** Until it is lost. @throws where it was lost before anybody could have it */
  async #hold(model: ChannelModel, onUp: () => void): Promise<void> {
    const lost = new Promise<Error>((resolve) => {
      this.#lose = resolve
      model.on('error', resolve)
      model.on('close', (error) => resolve(error ?? new Error('the connection was closed')))
      model.on('handler-error', resolve)
    })
    model.on('blocked', (reason) => {
      this.#blocked = reason
      this.#fail(blockedBy(reason, true))
    })
    model.on('unblocked', () => {
      this.#blocked = undefined
    })
    try {
      await this.answer(Promise.race([works(model), lost.then((error) => Promise.reject(error))]), PROBE_MS)
      if (this.#stopping.signal.aborted) return
      onUp()
      this.#lastError = undefined
      this.#model = model
      this.#changed()
      const error = await lost
      this.#model = undefined
      this.#lastError = error
      this.#fail(error)
      for (const listener of this.#lostListeners) listener(error)
    } finally {
      this.#blocked = undefined
      // One that does not answer ends by its missing heartbeats.
      const closing = model.close().catch(() => {})
      if (this.#stopping.signal.aborted) await Promise.race([closing, sleep(systemClock, 1000)])
    }
  }

  #fail(error: Error): void {
    for (const fail of this.#calls) fail(error)
  }

  #change(ms: number, signal?: AbortSignal): Promise<void> {
    const change = new Promise<void>((resolve) => this.#waiting.push(resolve))
    const late = new AbortController()
    const end = AbortSignal.any([late.signal, ...(signal === undefined ? [] : [signal])])
    return Promise.race([change, sleep(systemClock, ms, end)]).finally(() => late.abort())
  }

  #changed(): void {
    for (const resolve of this.#waiting.splice(0)) resolve()
  }
}

/** The library does not hear of a connection that was closed in the packet that opened it: it must be seen to work. */
async function works(model: ChannelModel): Promise<void> {
  const channel = await model.createChannel()
  channel.on('error', () => {})
  await channel.close()
}

/** What is told to whoever wants to publish meanwhile, or did just now. */
export function blockedBy(reason: string, isSent: boolean): BackendError {
  const what = isSent
    ? 'it may take what was published once that is over: enqueue again with the same id'
    : 'nothing was accepted'
  return new BackendError(
    'BACKEND_FULL',
    `rabbitmq takes no messages for now: it is short of memory or disk (${reason}); ${what}`,
    { retryAfterMs: 5000 },
  )
}

function unanswered(ms: number): BackendError {
  return new BackendError(
    'BACKEND_UNAVAILABLE',
    `rabbitmq did not answer within ${Math.round(ms)} ms; whether it took what was published is unknown: enqueue again with the same id`,
    { retryAfterMs: 1000 },
  )
}

export function closed(): BackendError {
  return new BackendError('CLOSED', 'the rabbitmq backend is closed')
}
