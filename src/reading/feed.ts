import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { JobEvent, Ledger } from '../ledger.ts'

type Listener = (event: JobEvent) => void

/** One reader of the ledger's events for everybody in this process who follows something. */
export class Feed {
  readonly #open: () => Promise<Ledger>
  readonly #clock: Clock
  readonly #byJob = new Map<string, Set<Listener>>()
  readonly #all = new Set<Listener>()
  #reader: AbortController | undefined

  constructor(open: () => Promise<Ledger>, clock: Clock) {
    this.#open = open
    this.#clock = clock
  }

  /** Tells of every event from now on of one job, or of all; call the answer to stop. */
  follow(jobId: string | undefined, listener: Listener): () => void {
    const listeners = jobId === undefined ? this.#all : (this.#byJob.get(jobId) ?? new Set())
    if (jobId !== undefined) this.#byJob.set(jobId, listeners)
    listeners.add(listener)
    this.#start()
    return () => {
      listeners.delete(listener)
      if (jobId !== undefined && listeners.size === 0 && this.#byJob.get(jobId) === listeners)
        this.#byJob.delete(jobId)
      if (this.#all.size === 0 && this.#byJob.size === 0) this.close()
    }
  }

  close(): void {
    this.#reader?.abort()
    this.#reader = undefined
  }

  #start(): void {
    if (this.#reader !== undefined) return
    this.#reader = new AbortController()
    void this.#read(this.#reader.signal)
  }

  /** A gap concerns everybody: each listener hears of it and looks for itself. */
  async #read(signal: AbortSignal): Promise<void> {
    let after: number | undefined
    while (!signal.aborted) {
      try {
        for await (const events of (await this.#open()).watch(after, signal)) {
          for (const event of events) {
            after = event.eventId
            this.#tell(event)
          }
        }
      } catch {
        await sleep(this.#clock, 500, signal)
      }
    }
  }

  #tell(event: JobEvent): void {
    for (const listener of [...this.#all]) listener(event)
    const listeners = event.type === 'gap' ? [...this.#byJob.values()] : [this.#byJob.get(event.jobId) ?? []]
    for (const group of listeners) for (const listener of [...group]) listener(event)
  }
}
