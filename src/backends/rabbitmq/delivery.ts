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
export interface Part extends Received {
  readonly delivery: Delivery
  /** Grows with every delivery. */
  readonly fence: number
  /** Settled, or given back. */
  isEnded: boolean
}

let lastFence = 0

/** Also after a delivery to another process, as far as their clocks agree. */
export function nextFence(): number {
  lastFence = Math.max(lastFence + 1, Date.now() * 1000)
  return lastFence
}
