import type { Accepted, Broker, Claim, Depth, WaitingWant } from '../broker.ts'
import { BackendError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'

interface Message {
  readonly number: number
  readonly job: Job
  readonly foreign: boolean
}

const MOST_BYTES = 1_048_576

/** A message server of the least power, in memory: no delay, no priority, no order; it delivers again at will. */
export class LeastPowerServer {
  readonly #random: () => number
  readonly #again: number
  readonly #waiting = new Map<string, Message[]>()
  readonly #connections = new Set<Connection>()
  #numbers = 0
  #down = false
  /** It is short of memory, say: it delivers, and takes nothing. */
  blocked = false
  /** Queues that take nothing while the others do: they are full, or about to have another leader. */
  readonly refusing: Set<string> = new Set()
  /** Queues about which it says nothing: a call for one of them alone looks as if the server were away. */
  readonly silent: Set<string> = new Set()

  /**
   * @param seed repeats every choice the server makes
   * @param again how many of its deliveries it makes a second time, from 0 to 1
   */
  constructor(seed = 1, again = 0.1) {
    this.#random = seeded(seed)
    this.#again = again
  }

  /** A connection, as one more host would have it. */
  connect(): Broker {
    const connection = new Connection(this)
    this.#connections.add(connection)
    return connection
  }

  /** Every pending call is rejected, and what was not acknowledged comes back. */
  dropConnections(): void {
    for (const connection of this.#connections) connection.drop()
  }

  /** While down, every call is rejected. */
  set down(down: boolean) {
    this.#down = down
    if (down) this.dropConnections()
  }

  get down(): boolean {
    return this.#down
  }

  /** A message that another program publishes. */
  publishAsStranger(job: Job): void {
    this.put(job, true)
  }

  /** Forgets every message that waits. */
  loseAll(): void {
    this.#waiting.clear()
  }

  /** @internal */
  put(job: Job, foreign = false): void {
    const queue = this.#waiting.get(job.queue) ?? []
    this.#waiting.set(job.queue, queue)
    queue.push({ number: ++this.#numbers, job, foreign })
    for (const connection of this.#connections) connection.look()
  }

  /** One of the waiting messages, whichever; now and then it stays there to be delivered again. @internal */
  take(queue: string): Message | undefined {
    const waiting = this.#waiting.get(queue) ?? []
    const index = Math.floor(this.#random() * waiting.length)
    if (this.#random() < this.#again) return waiting[index]
    return waiting.splice(index, 1)[0]
  }

  /** @internal */
  count(queue: string): number {
    return this.#waiting.get(queue)?.length ?? 0
  }

  /** @internal */
  forget(connection: Connection): void {
    this.#connections.delete(connection)
  }
}

interface Waiter {
  readonly queue: string
  readonly limit: number
  readonly resolve: (claims: Claim[]) => void
  readonly reject: (error: Error) => void
}

class Connection implements Broker {
  readonly name = 'least-power'
  readonly features: Broker['features'] = {
    acknowledge: 'each',
    redeliver: 'connection',
    delayMs: 0,
    priorities: 1,
    ordered: false,
    dedupMs: 0,
    fenced: false,
    maxMessageBytes: MOST_BYTES,
    maxBatch: 100,
    exactDepth: true,
  }
  readonly #server: LeastPowerServer
  readonly #held = new Map<number, Message>()
  readonly #waiters = new Set<Waiter>()

  constructor(server: LeastPowerServer) {
    this.#server = server
  }

  async enqueue(jobs: readonly Job[]): Promise<Accepted[]> {
    this.#check()
    if (this.#server.blocked) throw gone()
    if (jobs.some(({ payload }) => Buffer.byteLength(payload) > MOST_BYTES))
      throw new BackendError('BACKEND_FULL', `a message is longer than ${MOST_BYTES} bytes`)
    if (jobs.every(({ queue }) => this.#server.silent.has(queue))) throw gone()
    return jobs.map((job) => {
      if (this.#server.silent.has(job.queue)) return { id: job.id, status: 'failed', error: gone() }
      if (this.#server.refusing.has(job.queue)) return { id: job.id, status: 'full' }
      this.#server.put(job)
      return { id: job.id, status: 'queued' }
    })
  }

  claim(queue: string, want: WaitingWant): Promise<readonly Claim[]> {
    return new Promise((resolve, reject) => {
      if (this.#server.down) return reject(gone())
      if (want.signal.aborted) return resolve([])
      const onAbort = (): void => {
        this.#waiters.delete(waiter)
        resolve([])
      }
      const end = <T>(how: (value: T) => void) => {
        return (value: T): void => {
          want.signal.removeEventListener('abort', onAbort)
          how(value)
        }
      }
      const waiter: Waiter = { queue, limit: want.limit, resolve: end(resolve), reject: end(reject) }
      want.signal.addEventListener('abort', onAbort, { once: true })
      this.#waiters.add(waiter)
      this.look()
      if (this.#waiters.has(waiter)) want.onWaiting?.()
    })
  }

  async settle(settlements: readonly { claim: { receipt?: unknown }; type: string }[]): Promise<boolean[]> {
    this.#check()
    return settlements.map(({ claim, type }) => {
      const message = this.#held.get(claim.receipt as number)
      if (message === undefined) return false
      this.#held.delete(message.number)
      if (type !== 'done') this.#server.put(message.job, message.foreign)
      return true
    })
  }

  async renew(beats: readonly unknown[]): Promise<'held'[]> {
    return beats.map(() => 'held')
  }

  async depth(queue: string): Promise<Depth> {
    this.#check()
    return {
      queue,
      ready: this.#server.count(queue),
      running: null,
      scheduled: null,
      dead: null,
      waitingBytes: null,
      oldestAgeMs: null,
      paused: false,
      exact: true,
      totals: null,
    }
  }

  async close(): Promise<void> {
    this.drop()
    this.#server.forget(this)
  }

  /** @internal */
  look(): void {
    for (const waiter of [...this.#waiters]) {
      const claims: Claim[] = []
      while (claims.length < waiter.limit && this.#server.count(waiter.queue) > 0) {
        const message = this.#server.take(waiter.queue)
        if (message === undefined || this.#held.has(message.number)) continue
        this.#held.set(message.number, message)
        claims.push({
          job: message.job,
          attempt: 1,
          fence: 0,
          leaseUntil: Number.POSITIVE_INFINITY,
          receipt: message.number,
          ...(message.foreign ? { foreign: true } : {}),
        })
      }
      if (claims.length === 0) continue
      this.#waiters.delete(waiter)
      waiter.resolve(claims)
    }
  }

  /** @internal */
  drop(): void {
    const waiters = [...this.#waiters]
    this.#waiters.clear()
    for (const { reject } of waiters) reject(gone())
    const held = [...this.#held.values()]
    this.#held.clear()
    for (const { job, foreign } of held) this.#server.put(job, foreign)
  }

  #check(): void {
    if (this.#server.down) throw gone()
  }
}

function gone(): BackendError {
  return new BackendError('BACKEND_UNAVAILABLE', 'the connection to the message server was lost')
}

/** mulberry32: small, and the same everywhere. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }
}
