import type { ChildProcess } from 'node:child_process'
import type { Told } from './messages.ts'
import { toldIn } from './messages.ts'

export interface End {
  readonly pid: number | undefined
  /** As a shell would tell it; undefined where a signal ended it, or where it could not be started. */
  readonly code: number | undefined
  readonly signal: NodeJS.Signals | undefined
}

export interface Listeners {
  /** The process claims jobs. */
  readonly onWorking: (id: number, pid: number | undefined) => void
  readonly onEnded: (id: number, end: End) => void
}

type Counts = Pick<Told, 'ended' | 'failed' | 'cpuMs'>
type Sums = Counts & Pick<Told, 'runMs' | 'loopDelayMs'>

/** The worker processes that are there, by their places. */
export class Processes {
  readonly #fork: () => ChildProcess
  readonly #listeners: Listeners
  readonly #children = new Map<number, ChildProcess>()
  readonly #told = new Map<number, Told>()
  #gone: Counts = { ended: 0, failed: 0, cpuMs: 0 }

  constructor(fork: () => ChildProcess, listeners: Listeners) {
    this.#fork = fork
    this.#listeners = listeners
  }

  get size(): number {
    return this.#children.size
  }

  start(id: number): void {
    const child = this.#fork()
    this.#children.set(id, child)
    child.on('message', (message) => {
      const told = toldIn(message)
      if (told === undefined || this.#children.get(id) !== child) return
      const isFirst = !this.#told.has(id)
      this.#told.set(id, told)
      if (isFirst) this.#listeners.onWorking(id, child.pid)
    })
    child.once('exit', (code, signal) => this.#end(id, child, code, signal))
    // Comes without an exit where no process could be made, and is nothing to act on where a signal could not be sent.
    child.on('error', () => {
      if (child.pid === undefined) this.#end(id, child, null, null)
    })
  }

  kill(id: number, signal: NodeJS.Signals): void {
    this.#children.get(id)?.kill(signal)
  }

  killAll(): void {
    for (const child of this.#children.values()) child.kill('SIGKILL')
  }

  /** How many jobs each runs. */
  load(): ReadonlyMap<number, number> {
    return new Map([...this.#told].map(([id, { running, buffered }]) => [id, running + buffered]))
  }

  /** What they told last, together; counts include those that are gone. */
  sums(): Sums {
    const all = [...this.#told.values()]
    const means = all.flatMap(({ runMs }) => runMs ?? [])
    return {
      ...plus(this.#gone, all),
      runMs: means.length === 0 ? null : means.reduce((sum, ms) => sum + ms, 0) / means.length,
      loopDelayMs: Math.max(0, ...all.map(({ loopDelayMs }) => loopDelayMs)),
    }
  }

  #end(id: number, child: ChildProcess, code: number | null, signal: NodeJS.Signals | null): void {
    if (this.#children.get(id) !== child) return
    this.#children.delete(id)
    const last = this.#told.get(id)
    if (last !== undefined) this.#gone = plus(this.#gone, [last])
    this.#told.delete(id)
    this.#listeners.onEnded(id, { pid: child.pid, code: code ?? undefined, signal: signal ?? undefined })
  }
}

function plus(start: Counts, more: readonly Counts[]): Counts {
  return more.reduce(
    (sum, { ended, failed, cpuMs }) => ({
      ended: sum.ended + ended,
      failed: sum.failed + failed,
      cpuMs: sum.cpuMs + cpuMs,
    }),
    start,
  )
}
