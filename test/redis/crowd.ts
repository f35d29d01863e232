import { setTimeout as wait } from 'node:timers/promises'
import type { Offload, OffloadOptions } from 'offload'
import { offload, schedule, task } from 'offload'
import { z } from 'zod'
import { scripts } from '../../src/backends/redis/scripts/index.ts'
import { silentLogger } from '../../src/log.ts'
import { LeastPowerServer } from '../../src/testing/index.ts'

const PAUSE_MS = 20
/** The prefix of keys that a test may say to be of an older release. */
export const OLDER = 'older'

/** What each exchange with the server is known by on the wire, in lower case: the scripts, and the commands beside them. */
export const exchanges: readonly (readonly [name: string, word: string])[] = [
  ...Object.values(scripts).map(({ name, sha }) => [`the script ${name}`, sha] as const),
  ...[
    'EVAL',
    'WAIT',
    'INFO',
    'CLIENT',
    'TIME',
    'SUBSCRIBE',
    'PING',
    'PUBLISH',
    'HSETNX',
    'HGET',
    'HMGET',
    'ZRANGEBYLEX',
    'ZRANGEBYSCORE',
  ].map((name) => [name, `\r\n${name.toLowerCase()}\r\n`] as const),
]

/** Those who do beside a producer and a worker all else that is asked of a store: they read, act, listen, keep schedules, open it anew, and have it as the ledger of a message broker. */
export class Crowd implements AsyncDisposable {
  /** Errors that have no code. */
  readonly uncoded: string[] = []
  /** Of the jobs that went through the message broker: the accepted, and those that ran. */
  readonly accepted = new Set<string>()
  readonly ran = new Set<string>()
  readonly #url: string
  readonly #stopped = new AbortController()
  readonly #own = task('crowd.own', {
    input: z.number(),
    queue: 'crowd',
    run: (_, job) => void this.ran.add(job.id),
  })
  readonly #queues: Offload[]
  readonly #loops: readonly Promise<void>[]
  #next = 0

  constructor(url: string) {
    this.#url = url
    const broker = new LeastPowerServer()
    const through = {
      open: async () => {
        const connected = broker.connect()
        return { broker: connected, close: () => connected.close() }
      },
    }
    const [reader, clockwork, joined] = [
      this.#open({}),
      this.#open({ schedules: [schedule('tick', { task: this.#own, input: 0, every: 500 })] }),
      this.#open({ url: through, ledger: `${url}/0?prefix=joined` }),
    ]
    this.#queues = [reader, clockwork, joined]
    for (const one of [clockwork, joined]) one.work({ queues: ['crowd'], lease: '1s' })
    this.#loops = [
      this.#again(() => this.#reads(reader)),
      this.#again(() => this.#acts(reader)),
      this.#again(() => this.#listens(reader)),
      this.#again(() => this.#opens()),
      this.#again(() => this.#brings()),
      this.#again(() => this.#schedules(clockwork)),
      this.#again(() => this.#sends(joined)),
    ]
  }

  /** Ends all that they do, but for the work on what was accepted. */
  async rest(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#loops)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest()
    await Promise.all(this.#queues.map((queue) => queue.close()))
  }

  async #reads(queue: Offload): Promise<void> {
    await queue.depth()
    await queue.queues()
    await queue.find({ limit: 5 })
    await queue.get('job-1')
  }

  async #acts(queue: Offload): Promise<void> {
    await queue.pause('aside')
    await queue.resume('aside')
    await this.#cancels(queue)
  }

  async #cancels(queue: Offload): Promise<void> {
    const { id } = await queue.enqueue(this.#own, 0, { delay: '1h' })
    await queue.cancel(id)
  }

  async #listens(queue: Offload): Promise<void> {
    const signal = AbortSignal.any([this.#stopped.signal, AbortSignal.timeout(1000)])
    for await (const _ of queue.watch({}, { signal }));
  }

  async #opens(): Promise<void> {
    await using queue = this.#open({})
    await queue.ready()
    await this.#cancels(queue)
  }

  /** Keys that are said to be of an older release are brought forward. */
  async #brings(): Promise<void> {
    await using queue = this.#open({ url: `${this.#url}/0?prefix=${OLDER}` })
    await queue.ready()
  }

  async #schedules(queue: Offload): Promise<void> {
    await queue.schedules.list()
  }

  async #sends(queue: Offload): Promise<void> {
    const id = `joined-${this.#next++}`
    await queue.enqueue(this.#own, 0, { id })
    this.accepted.add(id)
  }

  async #again(does: () => Promise<void>): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      await does().catch((error: unknown) => {
        const { code } = error as { code?: string }
        if (!/^[A-Z]+(_[A-Z]+)*$/.test(code ?? '') || code?.startsWith('E')) this.uncoded.push(String(error))
      })
      await wait(PAUSE_MS)
    }
  }

  #open(options: Partial<OffloadOptions>): Offload {
    return offload({
      url: this.#url,
      tasks: [this.#own],
      logger: silentLogger,
      limits: { timeout: '1s' },
      ...options,
    })
  }
}
