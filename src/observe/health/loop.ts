const EVERY_MS = 250
/** A block that is shorter goes unsaid. */
const LEAST_MS = 1000
/** So long after it, it is still told. */
const TOLD_MS = 5000

/** Notices when the event loop was blocked. */
export class LoopWatch {
  readonly #timer: NodeJS.Timeout
  #beat = performance.now()
  #blocked = { ms: 0, until: Number.NEGATIVE_INFINITY }

  constructor() {
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref()
  }

  /** How long the loop was blocked a moment ago; 0 when it was not. */
  get blockedMs(): number {
    this.#look()
    return performance.now() - this.#blocked.until > TOLD_MS ? 0 : this.#blocked.ms
  }

  close(): void {
    clearInterval(this.#timer)
  }

  #look(): void {
    const now = performance.now()
    const lateMs = Math.round(now - this.#beat - EVERY_MS)
    this.#beat = now
    if (lateMs >= LEAST_MS) this.#blocked = { ms: lateMs, until: now }
  }
}
