const FIRST_MEAN_MS = 500
const SMOOTHING = 0.2
const LONGEST_PLACE_MS = 60_000
const SHORTEST_PLACE_MS = 10
const FIRST_HOLD_MS = 5000
const LONGEST_HOLD_MS = 300_000
const MAX_IDLE = 10_000

/** The deliveries to one receiver in this process: how many at once, and when not. */
export class Lane {
  readonly #limit: number
  #running = 0
  #heldUntil = 0
  #strikes = 0
  #meanMs = FIRST_MEAN_MS
  #nextPlace = 0
  #tookAt: number | undefined

  constructor(limit: number) {
    this.#limit = limit
  }

  get isIdle(): boolean {
    return this.#running === 0
  }

  /** 0: go, and call leave() after. Otherwise the milliseconds to stay away, each caller in a place of its own. */
  enter(now: number, random: () => number): number {
    const from = Math.max(now, this.#heldUntil)
    if (from === now && this.#running < this.#limit) {
      this.#running++
      return 0
    }
    const place = Math.max(this.#nextPlace, from) + this.#meanMs / this.#limit
    this.#nextPlace = Math.min(place, from + LONGEST_PLACE_MS)
    const away = place > this.#nextPlace ? from + random() * LONGEST_PLACE_MS : place
    return Math.max(SHORTEST_PLACE_MS, Math.ceil(away - now))
  }

  leave(tookMs: number): void {
    this.#running--
    this.#meanMs += SMOOTHING * (tookMs - this.#meanMs)
  }

  /** Nothing more is sent until the time asked for, or for a time that doubles from 5 s to 5 minutes. */
  hold(now: number, askedMs: number | undefined): void {
    if (now >= this.#heldUntil) this.#strikes++
    const ms = askedMs ?? Math.min(LONGEST_HOLD_MS, FIRST_HOLD_MS * 2 ** (this.#strikes - 1))
    this.#heldUntil = Math.max(this.#heldUntil, now + ms)
  }

  took(now: number): void {
    this.#strikes = 0
    this.#tookAt = now
  }

  /** Whether the receiver took a delivery after this instant, as far as this process knows. */
  tookSince(instant: number): boolean {
    return this.#tookAt !== undefined && this.#tookAt >= instant
  }
}

/** The lanes by receiver; the longest unused idle ones are forgotten when there are many. */
export class Lanes {
  readonly #lanes = new Map<string, Lane>()

  of(name: string, limit: number): Lane {
    const lane = this.#lanes.get(name) ?? new Lane(limit)
    this.#lanes.delete(name)
    this.#lanes.set(name, lane)
    if (this.#lanes.size > MAX_IDLE) this.#forgetIdle()
    return lane
  }

  #forgetIdle(): void {
    for (const [name, lane] of this.#lanes) {
      if (this.#lanes.size <= MAX_IDLE) return
      if (lane.isIdle) this.#lanes.delete(name)
    }
  }
}
