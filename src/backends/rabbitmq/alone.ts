import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Broker, Claim, Features, Room, WaitingWant } from '../../broker.ts'
import { systemClock } from '../../clock.ts'
import { BackendError, OffloadError } from '../../job/errors.ts'
import type { Job } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { Next } from './alone-moves.ts'
import { afterEnding, onArrival } from './alone-moves.ts'
import { publishApart } from './apart.ts'
import { acceptedAs, countOf } from './broker.ts'
import type { Part } from './delivery.ts'
import { isOfQueue } from './faults.ts'
import { Leases } from './leases.ts'
import { rungOf } from './names.ts'
import type { Outgoing } from './outlet.ts'
import { packs } from './pack.ts'
import type { Wire } from './wire.ts'

/** A long job is handed over when so much of the time is up after which the server takes its message back. */
const HAND_OVER = 0.7
/** How many messages wait is asked this often. */
const COUNT_MS = 250
/** The longest expiration that a message can have. */
const LONGEST_EXPIRATION_MS = 2 ** 32 - 1

/** A message, and the rung of the ladder of delays that it goes to first. */
interface Placed extends Outgoing {
  readonly rung?: number
}

/**
 * RabbitMQ without a ledger: a message is the job, held by its connection until it is settled. Attempts travel in a header, and
 * the server counts those that were not settled; a delay is a ladder of queues whose messages expire; a dead letter is a message
 * in a queue of its own.
 */
export class Alone implements Broker {
  readonly name = 'rabbitmq'
  readonly features: Features
  readonly #wire: Wire
  readonly #options: BackendOptions
  readonly #leases: Leases
  readonly #counts = new Map<string, { readonly at: number; count: number }>()

  constructor(wire: Wire, features: Features, options: BackendOptions) {
    this.#wire = wire
    this.features = features
    this.#options = options
    this.#leases = new Leases((parts) => wire.takeBack(parts))
  }

  async enqueue(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    const now = this.#options.clock.now()
    const made: Job[][] = []
    for (const [queue, own] of Map.groupBy(jobs, (job) => job.queue)) {
      const free = await this.#free(queue, own.length, room)
      const isLater = (job: Job): boolean => job.runAt !== undefined && job.runAt > now
      made.push(...packs(own.slice(0, free), this.#wire.packed, isLater))
    }
    const verdicts = await publishApart(made, (those) =>
      this.#publish(those.map((pack) => this.#toQueue(pack, 0, pack[0]?.runAt))),
    )
    return jobs.map((job) => acceptedAs(job.id, verdicts.get(job)))
  }

  async claim(queue: string, want: WaitingWant): Promise<readonly Claim[]> {
    const { leaseMs, signal } = want
    while (!signal.aborted) {
      const parts = await this.#wire.take(queue, want)
      const now = this.#options.clock.now()
      const moving = new Map<Part, Next>()
      const ready: Part[] = []
      for (const part of parts) {
        const next = onArrival(part.job, part.attempts, now)
        if (next === undefined) ready.push(part)
        else moving.set(part, next)
      }
      try {
        await this.#move(moving)
      } catch (error) {
        this.#wire.putBack(
          queue,
          [...moving.keys()].filter(({ isEnded }) => !isEnded),
        )
        if (ready.length === 0) throw error
      }
      if (ready.length === 0) continue
      this.#leases.hold(ready, leaseMs)
      return ready.map((part) => claimOf(part, now + leaseMs))
    }
    return []
  }

  /** What is done is acknowledged first, so that nothing else can hold it up; what moves on is published before. */
  async settle(settlements: Parameters<Broker['settle']>[0]): Promise<readonly boolean[]> {
    const parts = settlements.map(({ claim }) => this.#held(claim))
    const moving = new Map<Part, Next>()
    const over: Part[] = []
    for (const [at, part] of parts.entries()) {
      if (part === undefined || part.isEnded) continue
      const next = afterEnding(part.job, part.attempts + 1, settlements[at] as Ending)
      if (next === undefined) over.push(part)
      else moving.set(part, next)
    }
    this.#wire.settling(parts)
    this.#end(over, true)
    await this.#move(moving, true)
    return parts.map(told)
  }

  /** What the handlers reported is not kept. */
  async renew(beats: Parameters<Broker['renew']>[0], leaseMs: number): ReturnType<Broker['renew']> {
    const parts = beats.map(({ claim }) => this.#held(claim))
    const most = Math.min(this.#wire.ackTimeoutMs * HAND_OVER, this.#wire.ackTimeoutMs - leaseMs / 2)
    const moving = new Map<Part, Next>()
    for (const part of parts) {
      if (part === undefined) continue
      if (systemClock.elapsed() - part.delivery.at > most)
        moving.set(part, { to: 'queue', attempts: part.attempts + 1 })
    }
    this.#leases.hold(
      parts.filter((part) => part !== undefined),
      leaseMs,
    )
    // Who ends meanwhile has lost it, and so has the next beat.
    for (const part of moving.keys()) part.isEnded = true
    // Who runs them is told first: what is published may be back before it is confirmed.
    if (moving.size > 0) setImmediate(() => void this.#handOver(moving))
    return parts.map((part) => (part === undefined || moving.has(part) ? 'lost' : 'held'))
  }

  async depth(queue: string): ReturnType<Broker['depth']> {
    const { topology, names, packed } = this.#wire
    await topology.queue(queue)
    const [ready, dead] = await Promise.all([
      topology.count(names.work(queue)),
      topology.count(names.deadLetters(queue)),
    ])
    return {
      queue,
      ready: countOf(ready, packed),
      running: null,
      scheduled: null,
      dead,
      waitingBytes: null,
      oldestAgeMs: null,
      paused: false,
      exact: true,
      totals: null,
    }
  }

  close(): Promise<void> {
    this.#leases.close()
    return this.#wire.close()
  }

  /** Whoever ran them knows already. What cannot be published now goes back when its lease is over. */
  async #handOver(moving: ReadonlyMap<Part, Next>): Promise<void> {
    const { taken } = await this.#publishMoves(moving).catch(() => ({ taken: [] }))
    for (const part of moving.keys()) part.isEnded = false
    this.#end(taken)
  }

  /** What moves on is published first, and gone here after. @throws where not all was taken */
  async #move(moving: ReadonlyMap<Part, Next>, isUntold = false): Promise<void> {
    if (moving.size === 0) return
    const { taken, fault } = await this.#publishMoves(moving)
    this.#end(taken, isUntold)
    if (fault !== undefined) throw fault
  }

  async #publishMoves(
    moving: ReadonlyMap<Part, Next>,
  ): Promise<{ readonly taken: readonly Part[]; readonly fault?: OffloadError }> {
    const parts = [...moving.keys()]
    const verdicts = await this.#publish([...moving].map(([part, next]) => this.#messageOf(part, next)))
    const taken = parts.filter((_, at) => verdicts[at] === 'confirmed')
    if (taken.length === parts.length) return { taken }
    const fault = verdicts.find((verdict) => verdict instanceof OffloadError)
    return { taken, fault: fault ?? refusedToMove() }
  }

  /** @param isUntold those that were held are to be told of */
  #end(parts: readonly Part[], isUntold = false): void {
    for (const part of parts) this.#leases.drop(part)
    const held = this.#wire.end(parts)
    for (const [at, part] of parts.entries()) part.isUntold = isUntold && held[at] === true
  }

  /** What a claim is of; undefined where it is over, or another's. */
  #held({ receipt, fence }: { readonly receipt?: unknown; readonly fence: number }): Part | undefined {
    const part = receipt as Part
    const isOver = part.isEnded && !part.isUntold
    return isOver || part.fence !== fence || !part.delivery.unacked.isOpen ? undefined : part
  }

  #messageOf({ job, delivery }: Part, next: Next): Placed {
    const { runAt: _, ...rest } = job
    if (next.to === 'queue')
      return next.runAt === undefined
        ? this.#toQueue([rest], next.attempts)
        : this.#toQueue([{ ...rest, runAt: next.runAt }], next.attempts, next.runAt)
    const { body, properties } = this.#wire.messageOf([rest])
    return {
      exchange: this.#wire.names.dead,
      key: job.queue,
      queue: job.queue,
      body: delivery.raw ?? body,
      properties: {
        ...properties,
        headers: { ...properties.headers, ...next.headers },
        expiration: Math.min(this.#options.retention.deadMs, LONGEST_EXPIRATION_MS),
      },
    }
  }

  #toQueue(jobs: readonly Job[], attempts: number, runAt = 0): Placed {
    const { names } = this.#wire
    const queue = jobs[0]?.queue ?? ''
    const { body, properties } = this.#wire.messageOf(jobs, attempts)
    const leftMs = runAt - this.#options.clock.now()
    if (leftMs <= 0) return { exchange: names.jobs, key: queue, queue, body, properties }
    const rung = rungOf(leftMs)
    return { exchange: names.delays, key: names.delay(queue, rung).name, queue, rung, body, properties }
  }

  #publish(messages: readonly Placed[]): ReturnType<Wire['publish']> {
    const { topology } = this.#wire
    return this.#wire.publish(messages, (queue, own) => {
      const rungs = new Set<number>()
      for (const { rung } of own) if (rung !== undefined) rungs.add(rung)
      return Promise.all([topology.queue(queue), ...[...rungs].map((rung) => topology.delay(queue, rung))])
    })
  }

  /** How many more jobs the queue may take; asked anew where it looks as if there were not enough room for all that come. */
  async #free(queue: string, coming: number, room: Room | undefined): Promise<number> {
    if (room === undefined) return coming
    const { topology, names } = this.#wire
    const most = room(queue).jobs
    const known = this.#counts.get(queue)
    const isFresh = known !== undefined && systemClock.elapsed() - known.at < COUNT_MS
    if (!isFresh || known.count + coming > most) {
      try {
        await topology.queue(queue)
      } catch (error) {
        // It is told with each of its jobs.
        if (isOfQueue(error)) return coming
        throw error
      }
      const count = await topology.count(names.work(queue))
      this.#counts.set(queue, { at: systemClock.elapsed(), count: count + coming })
      return Math.max(0, most - count)
    }
    known.count += coming
    return coming
  }
}

function refusedToMove(): BackendError {
  return new BackendError(
    'BACKEND_FULL',
    'rabbitmq refused what was to be tried later or is dead: a queue is at a limit of its own (max-length); it is tried again',
    { retryAfterMs: 1000 },
  )
}

/** Whether it was ended, which is told once. */
function told(part: Part | undefined): boolean {
  if (part?.isUntold !== true) return false
  part.isUntold = false
  return true
}

function claimOf(part: Part, leaseUntil: number): Claim {
  const { job, attempts, fence, malformed } = part
  const claim = { job, attempt: attempts + 1, fence, leaseUntil, receipt: part }
  return malformed === undefined ? claim : { ...claim, malformed }
}
