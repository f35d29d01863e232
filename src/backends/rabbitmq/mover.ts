import { sleep, systemClock } from '../../clock.ts'
import { OffloadError } from '../../job/errors.ts'
import type { Logger } from '../../log.ts'
import type { Next } from './alone-moves.ts'
import type { Part } from './inbox.ts'
import type { Verdict } from './publisher.ts'

/** What could not be published is tried again this often. */
const AGAIN_MS = 250

export interface MoverParts {
  readonly publish: (moves: readonly Move[]) => Promise<readonly Verdict[]>
  /** Acknowledges them. */
  readonly end: (parts: readonly Part[]) => void
  readonly logger: Logger
}

export type Move = readonly [part: Part, next: Next]

/**
 * Puts jobs where they go next: published there first, acknowledged here after. Where the server takes no messages for now,
 * as when it is short of memory or disk, this goes on behind: nobody else would, and the server holds them as ours until then.
 */
export class Mover {
  readonly #parts: MoverParts
  readonly #late = new Set<Move>()
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(parts: MoverParts) {
    this.#parts = parts
  }

  /** Resolves when all are there, or could not be put there for now. */
  async move(moves: readonly Move[]): Promise<void> {
    const left = await this.#try(moves)
    for (const move of left) this.#late.add(move)
    if (left.length > 0) this.#running ??= this.#run()
  }

  /** What is not where it goes yet comes again when its connection is closed. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    while (this.#late.size > 0 && !signal.aborted) {
      await sleep(systemClock, AGAIN_MS, signal)
      // Each by itself: one that cannot be published at all holds up no other.
      await Promise.all([...this.#late].map((move) => this.#again(move)))
    }
    this.#running = undefined
  }

  async #again(move: Move): Promise<void> {
    if (this.#stopping.signal.aborted) return
    const left = await this.#try([move])
    if (left.length === 0) this.#late.delete(move)
  }

  /** Answers those that are still to be moved. What the server has taken back it delivers again. */
  async #try(moves: readonly Move[]): Promise<readonly Move[]> {
    const held = moves.filter(([{ delivery }]) => delivery.unacked.isOpen)
    if (held.length === 0) return []
    const { publish, end, logger } = this.#parts
    try {
      const verdicts = await publish(held)
      const isThere = (_: Move, at: number): boolean => verdicts[at] === 'confirmed'
      end(held.filter(isThere).map(([part]) => part))
      return held.filter((move, at) => !isThere(move, at))
    } catch (error) {
      if (!(error instanceof OffloadError)) throw error
      if (this.#late.size === 0)
        logger.warn(
          { broker: 'rabbitmq', error: String(error) },
          'retries, delays and dead letters cannot be published; the server keeps their messages until they can be',
        )
      return held
    }
  }
}
