import { totalmem } from 'node:os'
import { performance } from 'node:perf_hooks'
import { clearInterval, setInterval } from 'node:timers'
import type { Pulse, SlotRange, SlotsDecision } from '../autoscale/concurrency.ts'
import { decideSlots, noSlotsMemory } from '../autoscale/concurrency.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Ending } from '../job/state.ts'

const EVERY_MS = 1000
/** The event loop is looked at so often. */
const LOOK_MS = 50

/** Finds how many jobs a worker runs at once: measures once a second, and lets `decideSlots` decide. */
export class Tuner {
  readonly #range: SlotRange
  readonly #clock: Clock
  #latestMs = 0
  #utilization = performance.eventLoopUtilization()
  #memory = noSlotsMemory
  #decision: SlotsDecision
  #running = 0
  /** Up to `#at`, since the last pulse: the sum of what ran at once by how long. */
  #busyMs = 0
  #at: number
  #since: number
  #ended = 0
  #failed = 0
  #ran = { count: 0, ms: 0 }

  constructor(range: SlotRange, clock: Clock) {
    this.#range = range
    this.#clock = clock
    this.#at = clock.elapsed()
    this.#since = this.#at
    this.#decision = { slots: range.min, reason: 'steady', text: `begins with ${range.min} slots` }
  }

  /** What was decided last. */
  get decision(): SlotsDecision {
    return this.#decision
  }

  /** So many run from now on. */
  running(count: number): void {
    this.#account()
    this.#running = count
  }

  ended(ending: Ending, runMs: number): void {
    this.#ended++
    if (ending.type === 'retry' || ending.type === 'dead') this.#failed++
    this.#ran.count++
    this.#ran.ms += runMs
  }

  /** Decides again and again until `stopping` aborts, and tells when the slots have changed. */
  async keep(stopping: AbortSignal, onChange: () => void): Promise<void> {
    const stopLooking = this.#lookAtLoop()
    while (!stopping.aborted) {
      await sleep(this.#clock, Number.POSITIVE_INFINITY, stopping, EVERY_MS)
      const before = this.#decision.slots
      const { decision, memory } = decideSlots(this.#range, this.#memory, this.#pulse())
      this.#decision = decision
      this.#memory = memory
      if (decision.slots !== before) onChange()
    }
    stopLooking()
  }

  /** How late a timer is: `monitorEventLoopDelay` forgets what goes on when it is reset. */
  #lookAtLoop(): () => void {
    let due = performance.now() + LOOK_MS
    const timer = setInterval(() => {
      const now = performance.now()
      this.#latestMs = Math.max(this.#latestMs, now - due)
      due = now + LOOK_MS
    }, LOOK_MS)
    timer.unref()
    return () => clearInterval(timer)
  }

  #account(): void {
    const now = this.#clock.elapsed()
    this.#busyMs += this.#running * (now - this.#at)
    this.#at = now
  }

  #pulse(): Pulse {
    this.#account()
    const passedMs = Math.max(1, this.#at - this.#since)
    const utilization = performance.eventLoopUtilization()
    const pulse: Pulse = {
      at: this.#at,
      running: this.#running,
      occupied: Math.min(1, this.#busyMs / (passedMs * this.#decision.slots)),
      ended: this.#ended,
      failed: this.#failed,
      runMs: this.#ran.count === 0 ? null : this.#ran.ms / this.#ran.count,
      loopMs: this.#latestMs,
      cpu: performance.eventLoopUtilization(utilization, this.#utilization).utilization,
      memory: usedMemory(),
    }
    this.#utilization = utilization
    this.#latestMs = 0
    this.#busyMs = 0
    this.#since = this.#at
    this.#ran = { count: 0, ms: 0 }
    return pulse
  }
}

/** Of this host, or of what this process may have of it. */
function usedMemory(): number {
  const limit = process.constrainedMemory()
  const all = limit > 0 ? Math.min(limit, totalmem()) : totalmem()
  return Math.min(1, Math.max(0, 1 - process.availableMemory() / all))
}
