/** What a worker process tells the one that started it, a few times a second once it claims. */
export interface Told {
  readonly type: 'told'
  readonly running: number
  readonly buffered: number
  /** Attempts that ended here since its start, and those of them that failed. */
  readonly ended: number
  readonly failed: number
  /** Of the latest attempts; null before the first has ended. */
  readonly runMs: number | null
  /** What the process has computed so far. */
  readonly cpuMs: number
  /** How late its event loop was, at the 99th of 100 looks since it told last. */
  readonly loopDelayMs: number
}

/** A handler may send to its parent, too: undefined for what is none of ours. */
export function toldIn(message: unknown): Told | undefined {
  const { type } = (typeof message === 'object' && message !== null ? message : {}) as Partial<Told>
  return type === 'told' ? (message as Told) : undefined
}
