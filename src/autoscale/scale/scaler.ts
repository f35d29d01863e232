import type { Depth } from '../../broker.ts'
import type { Clock } from '../../clock.ts'
import { systemClock } from '../../clock.ts'
import { OffloadError } from '../../job/errors.ts'
import { isServing } from '../../observe/serving.ts'
import type { ScalerPlan, ScalingLog } from '../../presence/scaling.ts'
import type { WorkerView } from '../../presence/view.ts'
import type { ScaleAnswer } from './answer.ts'
import type { Ask, ScaleOptions } from './ask.ts'
import { askIn, askOf, keyOf } from './ask.ts'
import { Watched } from './watched.ts'

type Roll = readonly Pick<WorkerView, 'queues' | 'state'>[]

/** What a scaler needs of a queue: what `offload()` answers has it. */
export interface ScaleSource {
  depth(queue: string): Promise<Depth>
  queues(): Promise<readonly Depth[]>
  /** Which are there; without, or where that cannot be told, there are taken to be as many as were wanted. */
  workers?(): Promise<Roll>
  /** Where others can see what is decided. */
  tellScaling?(plan: ScalerPlan): ScalingLog | undefined
}

/** What differs from the options, in words: of a query string, or the metadata of a ScaledObject. */
export type Words = Iterable<readonly [string, string]>

const MOST_WATCHED = 100
const FORGOTTEN_MS = 600_000
/** Half of how often each is measured: all that is watched shares one roll call. */
const FRESH_MS = 500

/** Answers how many workers some queues want: measured and decided once a second while somebody asks. */
export class Scaler {
  readonly #source: ScaleSource
  readonly #options: ScaleOptions
  readonly #clock: Clock
  readonly #watched = new Map<string, Watched>()
  readonly #own: Watched
  #calledAt = Number.NEGATIVE_INFINITY
  #roll: Promise<Roll | undefined> = Promise.resolve(undefined)

  constructor(source: ScaleSource, options: ScaleOptions, clock: Clock) {
    this.#source = source
    this.#options = options
    this.#clock = clock
    this.#own = this.#watch(askOf(options))
  }

  /**
   * How many are wanted by the options, and by what `words` put in their place.
   * @throws OPTION_INVALID; BACKEND_UNAVAILABLE while the queues could not be measured even once
   */
  async answer(words: Words = []): Promise<ScaleAnswer> {
    return this.#of(words).answer()
  }

  /** Calls the listener with each answer, once a second. Call the result to stop. @throws OPTION_INVALID */
  on(listener: (answer: ScaleAnswer) => void, words: Words = []): () => void {
    return this.#of(words).on(listener)
  }

  /** Answers no more; the queue stays open. */
  close(): void {
    for (const watched of this.#watched.values()) watched.close()
  }

  #of(words: Words): Watched {
    return this.#watch(askIn(words, this.#options))
  }

  #watch(ask: Ask): Watched {
    const key = keyOf(ask)
    const known = this.#watched.get(key)
    if (known !== undefined) return known
    this.#forget()
    if (this.#watched.size >= MOST_WATCHED)
      throw new OffloadError(
        'OPTION_INVALID',
        `one scaler answers for ${MOST_WATCHED} different sets of workers at most: ask for fewer, or start another`,
      )
    const watched = new Watched(
      ask,
      (queues) => this.#depths(queues),
      (queues) => this.#there(queues),
      this.#clock,
      this.#source.tellScaling?.(ask),
    )
    this.#watched.set(key, watched)
    return watched
  }

  /** Those that nobody has asked about for long. */
  #forget(): void {
    for (const [key, watched] of this.#watched) {
      const isIdle = this.#clock.elapsed() - watched.askedAt > FORGOTTEN_MS
      if (watched === this.#own || watched.isHeard || !isIdle) continue
      watched.close()
      this.#watched.delete(key)
    }
  }

  /** How many serve one of the queues. */
  async #there(queues: readonly string[] | undefined): Promise<number | null> {
    const all = await this.#call()
    const serves = (worker: Roll[number]): boolean =>
      isServing(worker) && (queues === undefined || worker.queues.some((queue) => queues.includes(queue)))
    return all?.filter(serves).length ?? null
  }

  /** Who is there; undefined where that cannot be told. */
  #call(): Promise<Roll | undefined> {
    const now = this.#clock.elapsed()
    if (now - this.#calledAt >= FRESH_MS) {
      this.#calledAt = now
      this.#roll = this.#source.workers?.().catch(() => undefined) ?? Promise.resolve(undefined)
    }
    return this.#roll
  }

  #depths(queues: readonly string[] | undefined): Promise<readonly Depth[]> {
    if (queues === undefined) return this.#source.queues()
    return Promise.all(queues.map((queue) => this.#source.depth(queue)))
  }
}

/** Tells how many workers the queues want: `scaler(offload({ url, tasks }), { queues: ['mail'], max: 8 })`. @throws OPTION_INVALID */
export function scaler(queue: ScaleSource, options: ScaleOptions = {}): Scaler {
  return new Scaler(queue, options, systemClock)
}
