import type { BackendOptions } from '../../backend.ts'
import type { Accepted, Broker, Claim, Features, Room } from '../../broker.ts'
import { systemClock } from '../../clock.ts'
import type { Job } from '../../job/job.ts'
import type { Next } from './alone-moves.ts'
import { afterEnding, onArrival } from './alone-moves.ts'
import { byQueue, countOf } from './broker.ts'
import type { Part } from './inbox.ts'
import { rungOf } from './names.ts'
import { isPack, packs } from './pack.ts'
import type { Outgoing } from './publisher.ts'
import type { Wire } from './wire.ts'

/** A long job is handed over when so much of the time is up after which the server takes its message back. */
const HAND_OVER = 0.7
/** How many messages wait is asked this often. */
const COUNT_MS = 250
/** The longest expiration that a message can have. */
const LONGEST_EXPIRATION_MS = 2 ** 32 - 1

/** A message, and the rung of the ladder of delays that it goes to. */
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
  readonly #counts = new Map<string, { readonly at: number; count: number }>()

  constructor(wire: Wire, features: Features, options: BackendOptions) {
    this.#wire = wire
    this.features = features
    this.#options = options
  }

  async enqueue(jobs: readonly Job[], room?: Room): Promise<readonly Accepted[]> {
    const now = this.#options.clock.now()
    const full = new Set<Job>()
    const messages: { readonly jobs: readonly Job[]; readonly message: Placed }[] = []
    for (const [queue, own] of byQueue(jobs)) {
      const free = await this.#free(queue, own.length, room)
      for (const job of own.slice(free)) full.add(job)
      const isLater = (job: Job): boolean => job.runAt !== undefined && job.runAt > now
      for (const pack of packs(own.slice(0, free), this.#wire.packed, isLater))
        messages.push({ jobs: pack, message: this.#toQueue(pack, 0, pack[0]?.runAt) })
    }
    const verdicts = await this.#publish(messages.map(({ message }) => message))
    for (const [at, verdict] of verdicts.entries())
      if (verdict === 'refused') for (const job of messages[at]?.jobs ?? []) full.add(job)
    return jobs.map((job) => ({ id: job.id, status: full.has(job) ? 'full' : 'queued' }))
  }

  async claim(
    queue: string,
    { limit, leaseMs, signal }: Parameters<Broker['claim']>[1],
  ): Promise<readonly Claim[]> {
    while (!signal.aborted) {
      const parts = await this.#wire.take(queue, limit, signal)
      const now = this.#options.clock.now()
      const moves = parts.map(({ job, attempts }) => onArrival(job, attempts, now))
      await this.#move(parts, moves)
      const claims = parts.filter((_, at) => moves[at] === undefined)
      if (claims.length > 0) return claims.map((part) => claimOf(part, now + leaseMs))
    }
    return []
  }

  async settle(settlements: Parameters<Broker['settle']>[0]): Promise<readonly boolean[]> {
    const parts = settlements.map(({ claim }) => heldPart(claim))
    const moves = settlements.map((ending, at) => {
      const part = parts[at]
      return part && afterEnding(part.job, part.attempts + 1, ending)
    })
    await this.#publishMoves(parts, moves)
    const held = parts.filter((part) => part !== undefined)
    this.#wire.settling(held)
    const ended = this.#wire.end(held)
    return parts.map((part) => part !== undefined && ended.shift() === true)
  }

  /** What the handlers reported is not kept. */
  async renew(beats: Parameters<Broker['renew']>[0]): ReturnType<Broker['renew']> {
    const longest = this.#wire.ackTimeoutMs * HAND_OVER
    const parts = beats.map(({ claim }) => claim.receipt as Part)
    const tooLong = parts.filter(
      ({ delivery }) => delivery.unacked.isOpen && systemClock.elapsed() - delivery.at > longest,
    )
    await this.#move(
      tooLong,
      tooLong.map(({ attempts }): Next => ({ to: 'queue', attempts: attempts + 1 })),
    )
    return parts.map((part) => (part.delivery.unacked.isOpen && !tooLong.includes(part) ? 'held' : 'lost'))
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
      oldestAgeMs: null,
      paused: false,
      exact: true,
    }
  }

  close(): Promise<void> {
    return this.#wire.close()
  }

  /** What moves on is published first, and gone here after. */
  async #move(parts: readonly Part[], moves: readonly (Next | undefined)[]): Promise<void> {
    if (!moves.some((next) => next !== undefined)) return
    await this.#publishMoves(parts, moves)
    this.#wire.end(parts.filter((_, at) => moves[at] !== undefined))
  }

  async #publishMoves(
    parts: readonly (Part | undefined)[],
    moves: readonly (Next | undefined)[],
  ): Promise<void> {
    const messages = parts.flatMap((part, at) => {
      const next = moves[at]
      return part === undefined || next === undefined ? [] : [this.#messageOf(part, next)]
    })
    if (messages.length > 0) await this.#publish(messages)
  }

  #messageOf({ job, malformed, delivery }: Part, next: Next): Placed {
    const { runAt: _, ...rest } = job
    if (next.to === 'queue')
      return next.runAt === undefined
        ? this.#toQueue([rest], next.attempts)
        : this.#toQueue([{ ...rest, runAt: next.runAt }], next.attempts, next.runAt)
    const { body, properties } = this.#wire.messageOf([rest], next.attempts)
    const { content, properties: came } = delivery.message
    return {
      exchange: this.#wire.names.dead,
      key: job.queue,
      body: malformed === undefined || isPack(came) ? body : content,
      properties: {
        ...properties,
        headers: { ...properties.headers, ...next.headers },
        expiration: Math.min(this.#options.retention.deadMs, LONGEST_EXPIRATION_MS),
      },
    }
  }

  #toQueue(jobs: readonly Job[], attempts: number, runAt = 0): Placed {
    const { names } = this.#wire
    const message = { ...this.#wire.messageOf(jobs, attempts), key: jobs[0]?.queue ?? '' }
    const leftMs = runAt - this.#options.clock.now()
    if (leftMs <= 0) return { ...message, exchange: names.jobs }
    const rung = rungOf(leftMs)
    return { ...message, exchange: names.delay(rung).name, rung }
  }

  #publish(messages: readonly Placed[]): ReturnType<Wire['publish']> {
    const { topology } = this.#wire
    const queues = new Set(messages.map(({ key }) => key))
    const rungs = new Set(messages.flatMap(({ rung }) => (rung === undefined ? [] : [rung])))
    return this.#wire.publish(messages, () =>
      Promise.all([
        ...[...queues].map((queue) => topology.queue(queue)),
        ...[...rungs].map((ms) => topology.delay(ms)),
      ]),
    )
  }

  /** How many more jobs the queue may take; asked anew where it looks as if there were not enough room for all that come. */
  async #free(queue: string, coming: number, room: Room | undefined): Promise<number> {
    if (room === undefined) return coming
    const { topology, names } = this.#wire
    const most = room(queue)
    const known = this.#counts.get(queue)
    const isFresh = known !== undefined && systemClock.elapsed() - known.at < COUNT_MS
    if (!isFresh || known.count + coming > most) {
      await topology.queue(queue)
      const count = await topology.count(names.work(queue))
      this.#counts.set(queue, { at: systemClock.elapsed(), count: count + coming })
      return Math.max(0, most - count)
    }
    known.count += coming
    return coming
  }
}

/** What a claim is of; undefined where it is over, or another's. */
function heldPart({ receipt, fence }: Parameters<Broker['settle']>[0][number]['claim']): Part | undefined {
  const part = receipt as Part
  return part.isEnded || part.fence !== fence || !part.delivery.unacked.isOpen ? undefined : part
}

function claimOf(part: Part, leaseUntil: number): Claim {
  const { job, attempts, fence, malformed } = part
  return {
    job,
    attempt: attempts + 1,
    fence,
    leaseUntil,
    receipt: part,
    ...(malformed === undefined ? {} : { malformed }),
  }
}
