import { hostname } from 'node:os'
import type { Backend } from '../backend.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Documents } from '../documents.ts'
import { version } from '../version.ts'
import type { WorkerView } from './view.ts'

/** Workers are documents of this kind; they are no part of a store that is moved. */
export const KIND = 'worker'
/** Who was not seen for so many beats is gone. */
const MISSED = 3
/** So many of those are forgotten at a time. */
const SWEPT = 100
/** A stop waits so long at most to take leave: a store that is away must not hold it up. */
const LEAVE_MS = 1000

/** What a worker says of itself; the rest is of its process. */
export type Told = Omit<
  WorkerView,
  'id' | 'host' | 'pid' | 'version' | 'startedAt' | 'seenAt' | 'cpu' | 'memoryBytes'
>

export interface BeaconParts {
  readonly open: () => Promise<Backend>
  readonly clock: Clock
  readonly id: string
  readonly everyMs: number
}

/**
 * Tells the store that a worker is there and what it does, again and again. Whoever looks sees all workers of all hosts; who
 * was killed is forgotten by the others. Nothing of a job hangs on it: what fails here is tried again at the next beat, and
 * not told, for the worker itself tells that its backend is away.
 */
export class Beacon {
  readonly #parts: BeaconParts
  readonly #startedAt: number
  readonly #usage = new Usage()
  #cancel: (() => void) | undefined
  #version = 0
  #last: Promise<void> = Promise.resolve()
  #isOut = false

  constructor(parts: BeaconParts) {
    this.#parts = parts
    this.#startedAt = parts.clock.now()
  }

  begin(tell: () => Told): void {
    const { clock, everyMs } = this.#parts
    const beat = (): void => {
      if (this.#isOut) return
      this.#last = this.#last.then(() => this.#beat(tell)).catch(() => {})
      void this.#last.then(() => {
        if (!this.#isOut) this.#cancel = clock.after(everyMs, beat, 'poll')
      })
    }
    beat()
  }

  /** Takes leave. */
  async end(): Promise<void> {
    this.#isOut = true
    this.#cancel?.()
    const leaving = this.#last.then(() => this.#write(undefined)).catch(() => {})
    await Promise.race([leaving, sleep(this.#parts.clock, LEAVE_MS)])
  }

  async #beat(tell: () => Told): Promise<void> {
    const { clock, id, everyMs } = this.#parts
    const now = clock.now()
    const view: WorkerView = {
      ...tell(),
      id,
      host: hostname(),
      pid: process.pid,
      version,
      startedAt: this.#startedAt,
      seenAt: now,
      ...this.#usage.read(clock.elapsed()),
    }
    await this.#write(JSON.stringify(view), now + MISSED * everyMs)
    await this.#sweep(now)
  }

  async #write(value: string | undefined, dueAt?: number): Promise<void> {
    const { documents } = await this.#parts.open()
    if (documents === undefined || (value === undefined && this.#version === 0)) return
    const write = async (expected: number): Promise<boolean> => {
      const change = { kind: KIND, name: this.#parts.id, expected, value }
      const [isMade] = await documents.write([dueAt === undefined ? change : { ...change, dueAt }])
      if (isMade === true) this.#version = expected + 1
      return isMade === true
    }
    if ((await write(this.#version)) || value === undefined) return
    // Others took this one for gone, or the answer to the last beat was lost.
    await write(await versionOf(documents, this.#parts.id))
  }

  async #sweep(now: number): Promise<void> {
    const { documents } = await this.#parts.open()
    const gone = await documents?.due({ kind: KIND, at: now, limit: SWEPT })
    if (gone === undefined || gone.documents.length === 0) return
    await documents?.write(
      gone.documents.map(({ name, version: expected }) => ({ kind: KIND, name, expected, value: undefined })),
    )
  }
}

async function versionOf(documents: Documents, name: string): Promise<number> {
  const [found] = await documents.list({ kind: KIND, names: [name] })
  return found?.version ?? 0
}

/** What the process used since it was asked before. */
class Usage {
  #cpu = process.cpuUsage()
  #at = performance.now()

  read(elapsed: number): Pick<WorkerView, 'cpu' | 'memoryBytes'> {
    const { user, system } = process.cpuUsage(this.#cpu)
    const ms = elapsed - this.#at
    this.#cpu = process.cpuUsage()
    this.#at = elapsed
    return {
      cpu: ms > 0 ? Number(((user + system) / 1000 / ms).toFixed(3)) : 0,
      memoryBytes: process.memoryUsage.rss(),
    }
  }
}
