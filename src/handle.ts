import type { JobEvent } from './ledger.ts'
import type { WaitOptions, WatchFilter, WatchOptions } from './reading/reader.ts'
import type { AnyTask } from './task.ts'

/** A job that was accepted. */
export interface Handle<Result> {
  readonly id: string
  readonly task: string
  readonly queue: string
  /** The id was remembered already: nothing new was queued. */
  readonly duplicate: boolean
  result(options?: WaitOptions): Promise<Result>
  watch(options?: WatchOptions): AsyncGenerator<JobEvent>
  cancel(): Promise<CancelVerdict>
}

export type CancelVerdict = 'cancelled' | 'cancelling' | 'ended' | 'unknown'

/** What a handle asks of its queue. */
interface Asked {
  result(id: string, options?: WaitOptions): Promise<unknown>
  watch(what: string | WatchFilter, options?: WatchOptions): AsyncGenerator<JobEvent>
  cancel(id: string): Promise<CancelVerdict>
}

export class JobHandle<Result> implements Handle<Result> {
  readonly id: string
  readonly task: string
  readonly queue: string
  readonly duplicate: boolean
  readonly #asked: Asked

  constructor(asked: Asked, { name, queue }: AnyTask, id: string, duplicate: boolean) {
    this.#asked = asked
    this.id = id
    this.task = name
    this.queue = queue
    this.duplicate = duplicate
  }

  result(options?: WaitOptions): Promise<Result> {
    return this.#asked.result(this.id, options) as Promise<Result>
  }

  watch(options?: WatchOptions): AsyncGenerator<JobEvent> {
    return this.#asked.watch(this.id, options)
  }

  cancel(): Promise<CancelVerdict> {
    return this.#asked.cancel(this.id)
  }
}
