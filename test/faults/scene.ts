import { setTimeout as wait } from 'node:timers/promises'
import type { Offload, OffloadOptions } from 'offload'
import { offload, task } from 'offload'
import { z } from 'zod'
import { until } from '../../scripts/servers/until.ts'
import { silentLogger } from '../../src/log.ts'
import type { Tally } from './telling.ts'

const PAUSE_MS = 10
const KEEP_ALL = { ended: '24h', endedCount: 10_000_000, eventsCount: 10_000_000 } as const
const LAST = 'the-last-one'
const NORMAL = 4
const URGENT = 9
/** Every eleventh handler throws the first time, where this is asked for. */
const isThrower = (n: number): boolean => n % 11 === 3

type Place = NonNullable<OffloadOptions['url']>

export interface Places {
  readonly producer: Place
  readonly worker: Place
  /** Where the records are read at the end, past all that fails on the way. */
  readonly direct: Place
  /** Where the jobs of a message broker are remembered. */
  readonly ledger?: string
  /** With `ledger: 'none'`: how many jobs the broker still has. */
  readonly left?: () => Promise<number>
}

export interface SceneOptions {
  /** Of every seventh handler; the others end at once. */
  readonly longMs?: number
  /** How long a call may take: 2 s unless told otherwise. */
  readonly timeoutMs?: number
  /** Calls in flight: 10 unless told otherwise. */
  readonly lanes?: number
  /** While workers work, no more than so many jobs wait, 200 unless told otherwise: what is said of a fault is then not said of a backlog. */
  readonly mostWaiting?: number
  /** Every eleventh handler throws the first time, and is tried again a moment later. */
  readonly throws?: boolean
}

/** A producer under load and a worker, each with a connection of its own, and a ledger of what they were told. */
export class Scene implements AsyncDisposable {
  readonly accepted = new Set<string>()
  /** How often the handler of each job ran. */
  readonly runs = new Map<string, number>()
  /** The code of each call that was not accepted, and how often. */
  readonly refusals = new Map<string, number>()
  /** What the last such call was told. */
  lastRefusal: unknown
  readonly producer: Offload
  readonly worker: Offload
  readonly #places: Places
  readonly #options: Required<SceneOptions>
  readonly #job
  /** Those whose handler came to its end. */
  readonly #finished = new Set<string>()
  /** Those whose handler threw, once. */
  readonly #thrown = new Set<string>()
  #stopped = new AbortController()
  readonly #loops: Promise<void>[] = []
  #isWorking = false
  #lastAccepted = 0
  #next = 0
  #writtenOff = 0

  constructor(places: Places, options: SceneOptions = {}) {
    this.#places = places
    this.#options = { longMs: 0, timeoutMs: 2000, lanes: 10, mostWaiting: 200, throws: false, ...options }
    const { longMs, throws } = this.#options
    this.#job = task('fault.job', {
      input: z.object({ n: z.number(), filler: z.string().optional() }),
      retry: { attempts: 100, base: '500ms' },
      run: async ({ n }, job) => {
        this.runs.set(job.id, (this.runs.get(job.id) ?? 0) + 1)
        if (n % 7 === 0 && longMs > 0) await wait(longMs)
        if (!throws || !isThrower(n) || this.#thrown.has(job.id)) return void this.#finished.add(job.id)
        this.#thrown.add(job.id)
        throw new Error('it is tried again')
      },
    })
    this.producer = this.#open(places.producer)
    this.worker = this.#open(places.worker)
  }

  work(concurrency = 10): void {
    this.#isWorking = true
    this.worker.work({ lease: '1s', concurrency })
  }

  /** Enqueues without an end; what is refused is enqueued again under its id, as the error says. */
  load(filler = ''): void {
    this.#stopped = new AbortController()
    for (let lane = 0; lane < this.#options.lanes; lane++) this.#loops.push(this.#lane(filler))
  }

  async rest(): Promise<void> {
    this.#stopped.abort()
    await Promise.all(this.#loops.splice(0))
  }

  /** Waits until so many more jobs than now were accepted and handlers ran. */
  flows(more = 30): Promise<void> {
    const [accepted, runs] = [this.accepted.size + more, this.runs.size + more]
    return this.#until(
      `${more} more jobs accepted and run`,
      () => this.accepted.size >= accepted && this.runs.size >= runs,
    )
  }

  /** Milliseconds from now, which is when the server is back, until an urgent job is accepted and its handler begins. */
  async flowsAgain(): Promise<number> {
    const back = performance.now()
    const id = `urgent-${this.#next++}`
    const enqueuing = this.#enqueue(id, { n: 1 }, this.#isRemembered ? URGENT : NORMAL)
    await this.#until('an urgent job accepted and run', () => this.accepted.has(id) && this.runs.has(id))
    await enqueuing
    return Math.round(performance.now() - back)
  }

  /** So many of those that wait may be lost, and are not waited for before more are enqueued. */
  writeOff(count: number): void {
    this.#writtenOff += count
  }

  nextAcceptance(): Promise<void> {
    const before = this.#lastAccepted
    return this.#until('an acceptance', () => this.#lastAccepted > before)
  }

  /** Ends the load, waits until all jobs have ended, and compares both ledgers. */
  async count(): Promise<Tally> {
    await this.rest()
    await using reader = this.#open(this.#places.direct)
    const stuck = await this.#stuck(reader)
    const ends = this.#isRemembered ? await this.#ends(reader) : undefined
    const isOver = (id: string): boolean => this.#finished.has(id) && (ends === undefined || ends.has(id))
    return {
      accepted: this.accepted.size,
      lost: [...this.accepted].filter((id) => !isOver(id)).length,
      finishedTwice: ends && [...ends.values()].filter((times) => times > 1).length,
      stuck,
      ranAgain: [...this.runs].filter(([id, times]) => times > (this.#thrown.has(id) ? 2 : 1)).length,
      refusals: [...this.refusals.values()].reduce((sum, times) => sum + times, 0),
    }
  }

  /** Those that were accepted and whose handler has not come to its end. */
  unfinished(): readonly string[] {
    return [...this.accepted].filter((id) => !this.#finished.has(id))
  }

  get #isRemembered(): boolean {
    return this.#places.ledger !== 'none'
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rest()
    await Promise.all([this.producer.close(), this.worker.close()])
  }

  async #until(what: string, isSo: () => boolean): Promise<void> {
    try {
      await until(what, async () => isSo())
    } catch (cause) {
      const refused = JSON.stringify([...this.refusals])
      throw new Error(
        `no ${what}: ${this.accepted.size} accepted, ${this.runs.size} run, refused ${refused}`,
        { cause },
      )
    }
  }

  /** How many jobs are open still once their number has come to rest. */
  async #stuck(reader: Offload): Promise<number> {
    const known = async (): Promise<number> => {
      const { ready, running, scheduled } = await reader.depth()
      return (ready ?? 0) + (running ?? 0) + (scheduled ?? 0)
    }
    const open = this.#places.left ?? known
    let left = Number.POSITIVE_INFINITY
    while (left > 0) {
      const before = left
      const isLess = async (): Promise<boolean> => {
        left = await open()
        return left < before
      }
      await until('the end of a job', isLess).catch(() => {})
      if (left >= before) break
    }
    return left
  }

  /** How often the record says of each job that it was done, from the first event to one made for this. */
  async #ends(reader: Offload): Promise<ReadonlyMap<string, number>> {
    if (!this.#isWorking) this.work()
    const last = await reader.enqueue(this.#job, { n: 1 }, { id: LAST })
    await last.result({ timeout: '20s' })
    const ends = new Map<string, number>()
    for await (const { type, jobId } of reader.watch({}, { after: 0 })) {
      if (type === 'gap') throw new Error('events are gone that were to be counted')
      if (type !== 'done') continue
      if (jobId === LAST) break
      ends.set(jobId, (ends.get(jobId) ?? 0) + 1)
    }
    return ends
  }

  async #lane(filler: string): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      const waiting = this.accepted.size - this.runs.size - this.#writtenOff
      const isEnough = this.#isWorking && waiting >= this.#options.mostWaiting
      const n = isEnough ? undefined : this.#next++
      if (n !== undefined) await this.#enqueue(`job-${n}`, filler === '' ? { n } : { n, filler })
      await wait(PAUSE_MS)
    }
  }

  async #enqueue(id: string, input: { n: number; filler?: string }, priority = NORMAL): Promise<void> {
    while (!this.#stopped.signal.aborted) {
      try {
        await this.producer.enqueue(this.#job, input, { id, priority })
        this.accepted.add(id)
        this.#lastAccepted = performance.now()
        return
      } catch (error) {
        this.lastRefusal = error
        const { code = String(error) } = error as { code?: string }
        this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1)
        await wait(PAUSE_MS)
      }
    }
  }

  #open(url: Place): Offload {
    const { ledger } = this.#places
    return offload({
      url,
      tasks: [this.#job],
      logger: silentLogger,
      limits: { timeout: this.#options.timeoutMs },
      retention: KEEP_ALL,
      ...(ledger === undefined ? {} : { ledger }),
    })
  }
}
