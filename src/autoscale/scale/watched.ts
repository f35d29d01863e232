import type { Depth } from '../../broker.ts'
import type { Clock } from '../../clock.ts'
import { sleep } from '../../clock.ts'
import { BackendError } from '../../job/errors.ts'
import type { ScalingLog } from '../../presence/scaling.ts'
import { measure } from '../measure.ts'
import type { Decision, Memory } from '../policy/policy.ts'
import { decide, noMemory } from '../policy/policy.ts'
import type { Reading } from '../policy/reading.ts'
import type { ScaleAnswer } from './answer.ts'
import { answerOf } from './answer.ts'
import type { Ask } from './ask.ts'
import type { Window } from './rates.ts'
import { runMsOf, slide } from './rates.ts'

/** Depths of the queues that are named, or of every queue that was ever used. */
export type Depths = (queues: readonly string[] | undefined) => Promise<readonly Depth[]>

/** How many workers that serve them are there; null where nobody tells. */
export type There = (queues: readonly string[] | undefined) => Promise<number | null>

const EVERY_MS = 1000

/** Workers that are asked about: measured and decided on once a second, until it is closed. */
export class Watched {
  readonly #ask: Ask
  readonly #depths: Depths
  readonly #there: There
  readonly #clock: Clock
  readonly #log: ScalingLog | undefined
  readonly #closing = new AbortController()
  readonly #listeners = new Set<(answer: ScaleAnswer) => void>()
  #memory: Memory = noMemory
  #window: Window = []
  #answer: ScaleAnswer | undefined
  /** The last that could be taken, of which depths, and when by the clock on the wall. */
  #reading: Reading | undefined
  #seen: readonly Depth[] = []
  #seenWorkers: number | null = null
  #at = 0
  #trouble: unknown
  readonly #first: Promise<void>
  /** When somebody asked last, by the clock that is never set back. */
  askedAt: number

  /** @param log for others, who look at the store */
  constructor(ask: Ask, depths: Depths, there: There, clock: Clock, log: ScalingLog | undefined) {
    this.#ask = ask
    this.#log = log
    this.#depths = depths
    this.#there = there
    this.#clock = clock
    this.askedAt = clock.elapsed()
    this.#first = this.#look()
    void this.#first.then(() => this.#goOn())
  }

  /** What is wanted now. @throws BACKEND_UNAVAILABLE while the queues could not be measured even once */
  async answer(): Promise<ScaleAnswer> {
    this.askedAt = this.#clock.elapsed()
    await this.#first
    if (this.#answer !== undefined) return this.#answer
    throw new BackendError(
      'BACKEND_UNAVAILABLE',
      `the queues cannot be measured: ${messageOf(this.#trouble)}`,
      {
        cause: this.#trouble,
        retryAfterMs: EVERY_MS,
      },
    )
  }

  /** Calls the listener with each answer from now on; call the result to stop. */
  on(listener: (answer: ScaleAnswer) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  get isHeard(): boolean {
    return this.#listeners.size > 0
  }

  close(): void {
    this.#closing.abort()
    void this.#log?.end()
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#closing
    for (;;) {
      await sleep(this.#clock, EVERY_MS, signal)
      if (signal.aborted) return
      await this.#look()
    }
  }

  async #look(): Promise<void> {
    const reading = await this.#read()
    if (this.#closing.signal.aborted || (reading === undefined && this.#answer === undefined)) return
    const { decision, memory } = decide(this.#ask, this.#memory, reading)
    this.#note(decision)
    this.#memory = memory
    this.#reading = reading ?? this.#reading
    if (this.#reading === undefined) return
    const answer = answerOf(decision, this.#reading, this.#seen, this.#seenWorkers, this.#window, this.#at)
    this.#answer = reading === undefined ? { ...answer, blind: messageOf(this.#trouble) } : answer
    for (const listener of this.#listeners) listener(this.#answer)
  }

  #note({ workers: to, reason, text }: Decision): void {
    const from = this.#memory.workers ?? this.#ask.min
    if (to !== from) this.#log?.note({ at: this.#clock.now(), from, to, reason, text })
  }

  /** At the start: no fewer than there are, or than what runs takes, or a scaler that comes back would send them all home. */
  #guess(depths: readonly Depth[]): number {
    const { slots, min, max } = this.#ask
    const running = depths.reduce((sum, depth) => sum + (depth.running ?? 0), 0)
    return Math.min(max, Math.max(min, this.#seenWorkers ?? 0, Math.ceil(running / slots)))
  }

  /** Undefined where it cannot be taken. */
  async #read(): Promise<Reading | undefined> {
    const { slots, queues } = this.#ask
    try {
      ;[this.#seen, this.#seenWorkers] = await Promise.all([this.#depths(queues), this.#there(queues)])
    } catch (error) {
      this.#trouble = error
      return undefined
    }
    const { workers, starting } = this.#staff()
    const blank = { workers, starting, ended: null, failed: null, runMs: null }
    const reading = measure(this.#seen, blank, this.#clock.elapsed())
    this.#at = this.#clock.now()
    this.#window = slide(this.#window, reading)
    return { ...reading, runMs: runMsOf(this.#window, Math.max(1, workers) * slots) }
  }

  /** Where nobody tells how many there are, or none does although jobs run, whoever scales did as it was told. */
  #staff(): Pick<Reading, 'workers' | 'starting'> {
    const wanted = this.#memory.workers ?? this.#guess(this.#seen)
    const isUntold = this.#seenWorkers === 0 && this.#seen.some(({ running }) => running !== 0)
    if (this.#seenWorkers === null || isUntold) return { workers: wanted, starting: 0 }
    return { workers: this.#seenWorkers, starting: Math.max(0, wanted - this.#seenWorkers) }
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
