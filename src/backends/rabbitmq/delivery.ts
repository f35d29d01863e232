import type { ConsumeMessage } from 'amqplib'
import { systemClock } from '../../clock.ts'
import type { Received } from './message.ts'
import type { Unacked } from './unacked.ts'

/** A message of which not every job is settled. */
export class Delivery {
  readonly message: ConsumeMessage
  readonly unacked: Unacked
  readonly at: number
  /** How many of its jobs are not settled. */
  left: number

  constructor(message: ConsumeMessage, unacked: Unacked, jobs: number) {
    this.message = message
    this.unacked = unacked
    this.at = systemClock.elapsed()
    this.left = jobs
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
