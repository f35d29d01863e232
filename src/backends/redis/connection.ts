import type { Redis } from 'ioredis'
import type { BackendOptions } from '../../backend.ts'
import { sleep, systemClock } from '../../clock.ts'
import type { OffloadError } from '../../job/errors.ts'
import { BackendError } from '../../job/errors.ts'
import { CONNECT, coded, faultOf } from './faults.ts'
import { Kinds } from './kinds.ts'
import type { Durability } from './location.ts'
import type { Script } from './scripts/index.ts'

/** Between two tries of a call that the server refused for now; half of it at random. */
const AGAIN_MS = 100

/** Another server has the keys now, or will: whoever is asked anew tells which. */
const ELSEWHERE = /^(?:READONLY|UNBLOCKED|MOVED|CLUSTERDOWN)/

/** Of the time for a call: a socket that is silent for all of it is destroyed, with all calls that wait on it. */
const CONFIRM_SHARE = 0.8

/** What a script is given: named values, texts that follow as they are, and what is new about it when it is said again. */
export interface Call {
  readonly args: Readonly<Record<string, unknown>>
  readonly texts?: readonly string[]
}

/** The connection for commands: runs scripts, again where that is safe, and for as long as a call may wait. */
export class Connection {
  readonly kinds: Kinds = new Kinds()
  readonly #client: Redis
  readonly #options: BackendOptions
  readonly #base: string
  /** How many servers must have what is accepted, and how. */
  readonly #sure: Durability
  /** What the server's clock is ahead of ours; every instant of the store is the server's. */
  #aheadMs = 0
  #lastError: unknown
  #closed = false

  constructor(client: Redis, base: string, sure: Durability, options: BackendOptions) {
    this.#client = client
    this.#base = base
    this.#sure = sure
    this.#options = options
    client.on('error', (error: unknown) => {
      this.#lastError = error
    })
    client.on('ready', () => {
      this.#lastError = undefined
      void this.#setClock().catch(() => {})
    })
  }

  /** Milliseconds since the epoch, by the server's clock. */
  now(): number {
    return Math.round(this.#options.clock.now() + this.#aheadMs)
  }

  /** The name of a key of the store. */
  key(name: string): string {
    return `${this.#base}${name}`
  }

  /** Connects. @throws BackendError when no server answers in time */
  async open(): Promise<void> {
    this.#client.connect().catch((error: unknown) => {
      this.#lastError ??= error
    })
    await this.#untilReady(systemClock.elapsed() + this.#options.timeoutMs)
    await this.#trying(() => this.#setClock())
  }

  /** One command, for what is asked now and then. */
  async command(name: string, ...args: readonly string[]): Promise<unknown> {
    return this.#trying(() => this.#client.call(name, ...args))
  }

  /** Runs a script. Where its answer was lost it is run once more with `again: true`, and must then do nothing twice. */
  run(script: Script, { args, texts = [] }: Call): Promise<unknown> {
    const text = JSON.stringify({ now: this.now(), ...args })
    let isAgain = false
    return this.#trying(() => {
      const first = isAgain ? JSON.stringify({ now: this.now(), ...args, again: true }) : text
      isAgain = true
      return this.#evaluate(script, first, texts)
    })
  }

  /**
   * Runs the script that accepts, and waits until as many servers have what it wrote as the url asks for. `isAgain`: the
   * answer to a first try was lost, so that what is found there may be its work. @throws BACKEND_UNAVAILABLE
   */
  async accept(script: Script, call: Call): Promise<{ answer: unknown; isAgain: boolean }> {
    let tries = 0
    return this.#trying(async () => {
      const isAgain = tries++ > 0
      const text = JSON.stringify({ now: this.now(), ...call.args, ...(isAgain ? { again: true } : {}) })
      const answer = await this.#evaluate(script, text, call.texts ?? [])
      await this.#confirm()
      return { answer, isAgain }
    })
  }

  /**
   * Waits for as many servers as are asked for, of this connection alone: over another one the script has to run again first.
   * What it found there already another may have written, so it writes once more itself.
   */
  async #confirm(): Promise<void> {
    const { replicas, fsynced } = this.#sure
    if (replicas === 0 && fsynced === 0) return
    const writing = this.#client.call('HSET', this.key('meta'), 'sure', '1')
    const [[have, want]] = await Promise.all([this.#confirmed(), writing])
    if (have >= want) return
    throw new BackendError(
      'BACKEND_UNAVAILABLE',
      `redis: only ${have} of ${want} servers have confirmed what was accepted, in time; it may be kept all the same: enqueue again under the same id`,
      { retryAfterMs: 1000 },
    )
  }

  /** Waits on the connection that wrote. With `fsynced` the server's own file counts as one. */
  async #confirmed(): Promise<[have: number, want: number]> {
    const { replicas, fsynced } = this.#sure
    const forMs = String(Math.floor(this.#options.timeoutMs * CONFIRM_SHARE))
    if (fsynced === 0) return [Number(await this.#client.call('WAIT', String(replicas), forMs)), replicas]
    const others = Math.max(fsynced - 1, replicas)
    const [own, there] = (await this.#client.call('WAITAOF', '1', String(others), forMs)) as [number, number]
    return [Number(own) + Number(there), 1 + others]
  }

  close(): void {
    this.#closed = true
    this.#client.disconnect()
  }

  #evaluate(script: Script, first: string, texts: readonly string[]): Promise<unknown> {
    gather(this.#client)
    return this.#client.evalsha(script.sha, 1, this.#base, first, ...texts).catch((error: unknown) => {
      if (faultOf(error) !== 'noScript') throw error
      return this.#client.eval(script.text, 1, this.#base, first, ...texts)
    })
  }

  async #trying<T>(call: () => Promise<T>): Promise<T> {
    if (this.#client.status === 'ready' && !this.#closed) {
      try {
        return await call()
      } catch (error) {
        if (faultOf(error) === 'final') throw this.#coded(error, 'refused a call')
        return this.#tryingAgain(call, error)
      }
    }
    return this.#tryingAgain(call, undefined)
  }

  async #tryingAgain<T>(call: () => Promise<T>, met: unknown): Promise<T> {
    let last = met
    let reason = met
    const until = systemClock.elapsed() + this.#options.timeoutMs
    for (;;) {
      this.#checkOpen()
      if (last !== undefined) await this.#rest(last, until)
      await this.#untilReady(until, reason)
      try {
        return await call()
      } catch (error) {
        const isOver = faultOf(error) === 'final' || systemClock.elapsed() >= until || this.#closed
        last = error
        // That there is no connection just now says less than why the one before was given up.
        if (reason === undefined || faultOf(error) !== 'unsent') reason = error
        if (isOver) throw this.#closed ? closed() : this.#coded(reason, 'did not take the call')
      }
    }
  }

  async #rest(error: unknown, until: number): Promise<void> {
    const { message } = error as Error
    if (ELSEWHERE.test(message) && this.#client.status === 'ready') this.#client.disconnect(true)
    if (faultOf(error) === 'refused' || faultOf(error) === 'unsent')
      await sleep(
        systemClock,
        Math.min(AGAIN_MS * (0.5 + Math.random()), Math.max(0, until - systemClock.elapsed())),
      )
  }

  /** @param met why the call has to be made again, which is said where nothing else is known */
  async #untilReady(until: number, met?: unknown): Promise<void> {
    const client = this.#client
    if (client.status === 'ready') return
    await new Promise<void>((resolve, reject) => {
      const end = (error?: unknown): void => {
        cancel()
        client.off('ready', onReady)
        client.off('end', onEnd)
        if (error === undefined) resolve()
        else reject(error)
      }
      const onReady = (): void => end()
      const onEnd = (): void => end(this.#closed ? closed() : this.#coded(this.#lastError, CONNECT))
      const cancel = systemClock.after(Math.max(0, until - systemClock.elapsed()), () =>
        end(this.#coded(this.#lastError ?? met ?? new Error('no server answered in time'), CONNECT)),
      )
      client.on('ready', onReady)
      client.on('end', onEnd)
      if (client.status === 'end') onEnd()
    })
  }

  #coded(error: unknown, what: string): OffloadError {
    return coded(error, what, this.#base)
  }

  #checkOpen(): void {
    if (this.#closed) throw closed()
  }

  /** Half of the way there and back is taken off. A clock of a test is left alone. */
  async #setClock(): Promise<void> {
    const { clock } = this.#options
    if (clock !== systemClock) return
    const asked = clock.now()
    const [seconds, micros] = (await this.#client.call('TIME')) as [string, string]
    this.#aheadMs = Number(seconds) * 1000 + Number(micros) / 1000 - (asked + clock.now()) / 2
  }
}

const closed = (): BackendError => new BackendError('CLOSED', 'the redis backend is closed')

/** What is said in one turn of the event loop goes out in one packet: an acceptance, and the claim of who waits for it. */
function gather({ stream }: Redis): void {
  if (stream === undefined || stream.writableCorked > 0) return
  stream.cork()
  queueMicrotask(() => process.nextTick(() => stream.uncork()))
}
