import { closeSync, openSync } from 'node:fs'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Worker } from '../src/index.ts'
import type { Outside } from './outside.ts'

/** Writes down what a worker says of itself: lost leases, and its health when it changes. */
export function watchWorker(worker: Worker, outside: Outside): void {
  worker.on('lost', ({ jobId, attempt }) => outside.write('L', jobId, attempt))
  let last = ''
  setInterval(() => {
    const { state } = worker.health()
    if (state !== last) outside.write('H', state)
    last = state
  }, 20).unref()
}

/** Writes down what a worker takes: memory, jobs in its buffer, and the longest that its event loop was held. */
export function measureWorker(worker: Worker, outside: Outside): void {
  const delays = monitorEventLoopDelay({ resolution: 5 })
  delays.enable()
  setInterval(() => {
    const measure = (name: string, figure: number): void => outside.write('M', name, 0, process.pid, figure)
    measure('rss', Math.round(process.memoryUsage.rss() / 1e6))
    measure('buffered', worker.health().buffered)
    measure('stall', Math.round(delays.max / 1e6))
  }, 100).unref()
}

/** Takes every file descriptor that this process may have, until told to give them back. */
export class FileHog {
  readonly #taken: number[] = []

  take(): number {
    try {
      for (;;) this.#taken.push(openSync('/dev/null', 'r'))
    } catch {
      return this.#taken.length
    }
  }

  giveBack(): void {
    for (const file of this.#taken.splice(0)) closeSync(file)
  }
}
