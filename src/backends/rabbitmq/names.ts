/** A queue or exchange, as it is declared. */
export interface QueueShape {
  readonly name: string
  readonly arguments: Readonly<Record<string, string | number>>
}

/** Every name on the server, for one prefix. */
export interface Names {
  /** Takes every job; its routing keys are the names of queues. */
  readonly jobs: string
  /** Takes every dead letter, by the same keys. */
  readonly dead: string
  /** Takes what is delayed; its routing keys are the names of rungs. */
  readonly delays: string
  /** What a worker consumes. */
  work(queue: string): QueueShape
  /** What nobody consumes: people look into it. */
  deadLetters(queue: string): QueueShape
  /** Holds messages for so long, then hands them to the queue. One for each: what cannot be handed on holds up no other. */
  delay(queue: string, ms: number): QueueShape
}

/** Kept on disk by most of the nodes; what ends up elsewhere is confirmed there before it is gone here (RabbitMQ 3.10). */
const SAFE = {
  'x-queue-type': 'quorum',
  'x-overflow': 'reject-publish',
  'x-dead-letter-strategy': 'at-least-once',
} as const

export function namesOf(prefix: string): Names {
  const jobs = `${prefix}.jobs`
  const dead = `${prefix}.dead`
  const delays = `${prefix}.delay`
  return {
    jobs,
    dead,
    delays,
    work: (queue) => ({
      name: `${jobs}.${plain(queue)}`,
      arguments: { ...SAFE, 'x-dead-letter-exchange': dead, 'x-dead-letter-routing-key': queue },
    }),
    deadLetters: (queue) => ({ name: `${dead}.${plain(queue)}`, arguments: { 'x-queue-type': 'quorum' } }),
    delay: (queue, ms) => ({
      name: `${delays}.${plain(queue)}.${ms}`,
      arguments: {
        ...SAFE,
        'x-message-ttl': ms,
        'x-dead-letter-exchange': jobs,
        'x-dead-letter-routing-key': queue,
      },
    }),
  }
}

/** The server takes control characters out of names, and two would be one. */
const plain = (queue: string): string => queue.replaceAll(/[\p{Cc}%]/gu, encodeURIComponent)

const SHORTEST_DELAY_MS = 125
const LEVELS = 21

/**
 * The longest rung of the ladder of delays that is not longer than what is left: 125 ms, doubled up to a day and a half. Who gets
 * the message when its rung is over puts it on the next. Nothing to wait for, or less than the shortest rung: the shortest.
 */
export function rungOf(leftMs: number): number {
  const level = Math.floor(Math.log2(Math.max(leftMs, SHORTEST_DELAY_MS) / SHORTEST_DELAY_MS))
  return SHORTEST_DELAY_MS * 2 ** Math.min(level, LEVELS - 1)
}
