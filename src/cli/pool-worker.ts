import { flushCompileCache } from 'node:module'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { Told } from '../autoscale/pool/messages.ts'
import type { Worker } from '../worker/worker.ts'

/**
 * Set for the processes of a pool, to the folder of code that the pool made for them, if it did. Who forks a worker for a reason of
 * its own is not spoken to.
 */
export const POOL_MARK = 'OFFLOAD_POOL'

const EVERY_MS = 500

/** The pool that started this process. */
export interface OwnPool {
  /** Resolves when the pool retires this worker, or is gone. */
  readonly retired: Promise<void>
  /** It was retired already. */
  isRetired(): boolean
  /** Tells the pool that this worker is at work, and how it does; call the answer to stop. */
  tellOf(worker: Worker): () => void
}

/** The pool, when this process is one of its workers. What this process starts itself is not. */
export function ownPool(): OwnPool | undefined {
  const { [POOL_MARK]: mark, NODE_COMPILE_CACHE: cache } = process.env
  if (mark === undefined || process.send === undefined) return undefined
  delete process.env[POOL_MARK]
  if (cache === mark) delete process.env.NODE_COMPILE_CACHE
  return { ...untilRetired(), tellOf }
}

/** Ctrl-C reaches all processes of a terminal, and whoever ends a service may signal each of them: the pool says when. */
function untilRetired(): Pick<OwnPool, 'retired' | 'isRetired'> {
  let isRetired = false
  process.on('SIGINT', () => {})
  const retired = new Promise<void>((resolve) => {
    const retire = (): void => {
      isRetired = true
      resolve()
    }
    process.on('SIGTERM', retire)
    process.once('disconnect', retire)
    if (!process.connected) retire()
  })
  return { retired, isRetired: () => isRetired }
}

function tellOf(worker: Worker): () => void {
  let [ended, failed] = [0, 0]
  const loop = monitorEventLoopDelay({ resolution: 20 })
  loop.enable()
  worker.on('done', () => void ended++)
  for (const end of ['failed', 'dead'] as const)
    worker.on(end, () => {
      ended++
      failed++
    })
  const tell = (): void => {
    const { running, buffered, runMs = null } = worker.health()
    const { user, system } = process.cpuUsage()
    const loopDelayMs = Math.max(0, loop.percentile(99) / 1e6 - 20)
    loop.reset()
    const told: Told = {
      type: 'told',
      running,
      buffered,
      ended,
      failed,
      runMs,
      cpuMs: (user + system) / 1000,
      loopDelayMs,
    }
    // A pool that is gone hears nothing: that is told by the end of the channel.
    process.send?.(told, undefined, undefined, () => {})
  }
  tell()
  flushCompileCache()
  const timer = setInterval(tell, EVERY_MS)
  return () => clearInterval(timer)
}
