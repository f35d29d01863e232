import { monitorEventLoopDelay } from 'node:perf_hooks'

const RESOLUTION_MS = 20
const HALF_MS = 60_000

/** How late the event loop was, in seconds. */
export interface Delays {
  readonly p50: number
  readonly p99: number
  readonly worst: number
}

const none: Delays = { p50: 0, p99: 0, worst: 0 }

/**
 * How late the event loop was in the last one to two minutes. Reading it changes nothing: many may read, and what came while nobody
 * could is still there.
 */
export class LoopDelays {
  readonly #loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS })
  #before = none
  readonly #halfMs: number
  #timer: NodeJS.Timeout | undefined

  /** @param halfMs the shortest time that is looked back */
  constructor(halfMs: number = HALF_MS) {
    this.#halfMs = halfMs
  }

  begin(): void {
    if (this.#timer !== undefined) return
    this.#loop.enable()
    this.#timer = setInterval(() => {
      this.#before = this.#now()
      this.#loop.reset()
    }, this.#halfMs).unref()
  }

  end(): void {
    this.#loop.disable()
    clearInterval(this.#timer)
  }

  read(): Delays {
    const [now, before] = [this.#now(), this.#before]
    return {
      p50: Math.max(now.p50, before.p50),
      p99: Math.max(now.p99, before.p99),
      worst: Math.max(now.worst, before.worst),
    }
  }

  /** The monitor counts the time between its ticks: what is above its resolution was late. */
  #now(): Delays {
    const lateBy = (ns: number): number => Math.max(0, ns / 1e9 - RESOLUTION_MS / 1000)
    return {
      p50: lateBy(this.#loop.percentile(50)),
      p99: lateBy(this.#loop.percentile(99)),
      worst: lateBy(this.#loop.max),
    }
  }
}
