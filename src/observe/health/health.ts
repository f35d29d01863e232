import type { ErrorCode } from '../../job/errors.ts'
import { OffloadError } from '../../job/errors.ts'
import { Asking } from '../asking.ts'
import type { Observed, WorkerState } from '../observer.ts'
import type { Idling } from './claims.ts'
import { hasStuck, idling } from './claims.ts'
import { LoopWatch } from './loop.ts'

/** One thing that must be well for a process to do its work. */
export interface Check {
  readonly name: 'stopping' | 'backend' | 'claims' | 'loop' | 'workers'
  /** What is wrong, in words of ours; undefined when nothing is. */
  readonly fault?: string
  /** What the backend said: it may name hosts. */
  readonly cause?: string
}

/** Whether a process can do its work, and why not. */
export class Health {
  readonly #observed: Observed
  readonly #asking: Asking
  readonly #loop: LoopWatch = new LoopWatch()
  #idle: Idling = new Map()

  constructor(observed: Observed) {
    this.#observed = observed
    this.#asking = new Asking(observed)
  }

  /** Never rejects, and waits for a backend for a second at most. */
  async checks(): Promise<readonly Check[]> {
    const { blockedMs } = this.#loop
    const asked = await this.#asking.depths()
    const workers = this.#observed.workers()
    const now = performance.now()
    this.#idle = 'depths' in asked ? idling(workers, asked.depths, this.#idle, now) : new Map()
    return [
      stoppingCheck(this.#observed.isClosing(), workers),
      backendCheck('error' in asked ? asked.error : undefined, workers),
      hasStuck(this.#idle, now)
        ? { name: 'claims', fault: 'jobs wait, a slot is free, and the worker does not claim them' }
        : { name: 'claims' },
      blockedMs > 0
        ? { name: 'loop', fault: `the event loop was blocked for ${blockedMs} ms a moment ago` }
        : { name: 'loop' },
    ]
  }

  close(): void {
    this.#loop.close()
  }
}

/** A process whose every worker has stopped takes nothing more; one that never had a worker is there to accept. */
function stoppingCheck(isClosing: boolean, workers: readonly WorkerState[]): Check {
  const isDraining = workers.some(({ state }) => state === 'stopping')
  const isDone = workers.length > 0 && workers.every(({ state }) => state === 'stopped')
  return isClosing || isDraining || isDone
    ? { name: 'stopping', fault: 'it is stopping, and takes nothing more' }
    : { name: 'stopping' }
}

function backendCheck(error: unknown, workers: readonly WorkerState[]): Check {
  const degraded = workers.find(({ state }) => state === 'degraded')
  if (error === undefined && degraded === undefined) return { name: 'backend' }
  const who = degraded === undefined ? '' : ' by the worker'
  return {
    name: 'backend',
    fault: `the backend cannot be reached${who}${codeOf(error)}`,
    cause: degraded?.reason ?? (error instanceof Error ? error.message : String(error)),
  }
}

function codeOf(error: unknown): string {
  const code: ErrorCode | undefined = error instanceof OffloadError ? error.code : undefined
  return code === undefined ? '' : ` (${code})`
}
