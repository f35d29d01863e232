import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { JobEndedError, OffloadError } from '../job/errors.ts'
import type { JobRecord } from '../job/job.ts'
import { isEnded, lastFault } from '../job/job.ts'
import { decode } from '../job/payload.ts'
import type { FindQuery, JobEvent, Ledger } from '../ledger.ts'
import { Feed } from './feed.ts'
import type { JobView } from './view.ts'
import { viewOf } from './view.ts'

export interface WaitOptions {
  /** How long to wait for the end. @default '30s' */
  readonly timeout?: Duration
  readonly signal?: AbortSignal
}

export interface WatchOptions {
  /** Go on after this event; from now on when left out. */
  readonly after?: number
  readonly signal?: AbortSignal
}

export interface WatchFilter {
  readonly queue?: string
  readonly task?: string
}

/** A wait looks for itself this often, should an event have been lost. */
const LOOK_MS = 2000

/** Answers questions about jobs from the ledger. */
export class Reader {
  readonly #open: () => Promise<Ledger>
  readonly #clock: Clock
  readonly #feed: Feed

  /** @param onThrown told what a listener of follow() throws */
  constructor(open: () => Promise<Ledger>, clock: Clock, onThrown: (error: unknown) => void) {
    this.#open = open
    this.#clock = clock
    this.#feed = new Feed(open, clock, onThrown)
  }

  async get(id: string): Promise<JobView | undefined> {
    const { jobs, eventId } = await (await this.#open()).find({ ids: [id], limit: 1 })
    return jobs[0] === undefined ? undefined : viewOf(jobs[0], eventId)
  }

  async find(query: FindQuery): Promise<{ jobs: JobView[]; next?: string }> {
    const { limit } = query
    if (limit !== undefined && (!Number.isInteger(limit) || limit < 1 || limit > 1000)) {
      throw new OffloadError(
        'OPTION_INVALID',
        `limit must be a whole number from 1 to 1000, not ${String(limit)}`,
      )
    }
    for (const name of ['from', 'to'] as const) {
      const at: unknown = query[name]
      if (at !== undefined && !Number.isFinite(at))
        throw new OffloadError('OPTION_INVALID', `${name} must be milliseconds since 1970, not ${String(at)}`)
    }
    const { jobs, next, eventId } = await (await this.#open()).find(query)
    return { jobs: jobs.map((job) => viewOf(job, eventId)), ...(next === undefined ? {} : { next }) }
  }

  /** The result of a job, waited for. @throws JobEndedError JOB_DEAD, JOB_CANCELLED; JOB_NOT_FOUND, RESULT_TIMEOUT */
  async result(id: string, options: WaitOptions = {}): Promise<unknown> {
    const timeoutMs = toMs(options.timeout ?? '30s', 'timeout')
    const letGo = this.#clock.keepAlive()
    let look = new AbortController()
    const stop = this.#feed.follow(id, ({ type }) => {
      if (type === 'done' || type === 'dead' || type === 'cancelled' || type === 'gap') look.abort()
    })
    const onAbort = (): void => look.abort()
    options.signal?.addEventListener('abort', onAbort)
    const givenUpAt = this.#clock.now() + timeoutMs
    try {
      for (;;) {
        look = new AbortController()
        options.signal?.throwIfAborted()
        const record = await this.#record(id)
        if (record === undefined)
          throw new OffloadError('JOB_NOT_FOUND', `no job ${id} is remembered`, { jobId: id })
        if (isEnded(record.state)) return resultOf(record)
        const leftMs = givenUpAt - this.#clock.now()
        if (leftMs <= 0)
          throw new OffloadError(
            'RESULT_TIMEOUT',
            `job ${id} is still ${record.state} after ${timeoutMs} ms; it goes on: ask again later`,
            { jobId: id },
          )
        await sleep(this.#clock, leftMs, look.signal, LOOK_MS)
      }
    } finally {
      options.signal?.removeEventListener('abort', onAbort)
      stop()
      letGo()
    }
  }

  /** The same as a call for each event, for many who follow: they share one watch. Call the answer to stop. */
  follow(id: string, after: number, listener: (event: JobEvent) => void): Promise<() => void> {
    return this.#feed.followAfter(id, after, listener)
  }

  /** Events in order; of one job, it ends with that job. */
  async *watch(what: string | WatchFilter, options: WatchOptions = {}): AsyncGenerator<JobEvent> {
    const ended = new AbortController()
    const signal =
      options.signal === undefined ? ended.signal : AbortSignal.any([options.signal, ended.signal])
    const letGo = this.#clock.keepAlive()
    try {
      const ledger = await this.#open()
      const events = ledger.watch(options.after, signal)
      if (typeof what === 'string' && options.after === undefined && (await this.#isOver(what))) return
      for await (const batch of events) {
        for (const event of batch) {
          if (event.type !== 'gap' && !fits(event, what)) continue
          yield event
          if (
            typeof what === 'string' &&
            (event.type === 'done' || event.type === 'dead' || event.type === 'cancelled')
          )
            return
        }
      }
    } finally {
      ended.abort()
      letGo()
    }
  }

  close(): void {
    this.#feed.end()
  }

  async #isOver(id: string): Promise<boolean> {
    const record = await this.#record(id)
    return record === undefined || isEnded(record.state)
  }

  async #record(id: string): Promise<JobRecord | undefined> {
    const { jobs } = await (await this.#open()).find({ ids: [id], limit: 1 })
    return jobs[0]
  }
}

function fits(event: JobEvent, what: string | WatchFilter): boolean {
  if (typeof what === 'string') return event.jobId === what
  return (
    (what.queue === undefined || event.queue === what.queue) &&
    (what.task === undefined || event.task === what.task)
  )
}

function resultOf(record: JobRecord): unknown {
  if (record.state === 'done') return record.result === undefined ? undefined : decode(record.result)
  const fault = lastFault(record)
  const details = { jobId: record.id, task: record.task, queue: record.queue, cause: fault }
  if (record.state === 'cancelled')
    throw new JobEndedError('JOB_CANCELLED', `job ${record.id} was cancelled`, details)
  throw new JobEndedError(
    'JOB_DEAD',
    `job ${record.id} is dead after ${record.attempt} of ${record.maxAttempts} attempts: ${fault?.message ?? 'no reason is known'}`,
    details,
  )
}
