import type { ConsumeMessage } from 'amqplib'
import { systemClock } from '../../clock.ts'
import type { Received } from './message.ts'
import { isPack } from './pack.ts'
import type { Unacked } from './unacked.ts'

/**
 * A message of which not every job is settled. Of the message itself it keeps what it takes to publish a copy: a worker has
 * many in hand, and each thing that is kept of them is moved by the garbage collector.
 */
export class Delivery {
  readonly tag: number
  readonly unacked: Unacked
  readonly at: number
  readonly isPack: boolean
  readonly appId: string | undefined
  readonly contentType: string | undefined
  /** The body, where its one job does not have it. */
  readonly raw: Buffer | undefined
  /** How many of its jobs are not settled. */
  left: number

  constructor({ fields, properties, content }: ConsumeMessage, unacked: Unacked, jobs: readonly Received[]) {
    this.tag = fields.deliveryTag
    this.unacked = unacked
    this.at = systemClock.elapsed()
    this.isPack = isPack(properties)
    this.appId = properties.appId as string | undefined
    this.contentType = properties.contentType as string | undefined
    this.raw = this.isPack || jobs[0]?.malformed === undefined ? undefined : content
    this.left = jobs.length
  }
}

/** One job of a message. */
export class Part implements Received {
  readonly job: Received['job']
  readonly attempts: number
  readonly isRemembered: boolean
  readonly malformed: string | undefined
  readonly delivery: Delivery
  /** Grows with every delivery. */
  readonly fence: number
  /** Settled, or given back. */
  isEnded = false
  /** Settled in a call that failed for others, so that nobody was told. */
  isUntold = false

  constructor({ job, attempts, isRemembered, malformed }: Received, delivery: Delivery) {
    this.job = job
    this.attempts = attempts
    this.isRemembered = isRemembered
    this.malformed = malformed
    this.delivery = delivery
    this.fence = nextFence()
  }
}

let lastFence = 0

/** Also after a delivery to another process, as far as their clocks agree. */
function nextFence(): number {
  lastFence = Math.max(lastFence + 1, Date.now() * 1000)
  return lastFence
}
