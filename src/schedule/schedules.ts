import type { Document, DocumentChange, Documents } from '../documents.ts'
import { BackendError, OffloadError, shown } from '../job/errors.ts'
import { decode } from '../job/payload.ts'
import type { CatchUp, Overlap } from './plan.ts'
import type { Schedule } from './schedule.ts'
import { checkSchedules } from './schedule.ts'
import type { Stored } from './stored.ts'
import { calendarIn, KIND, storedIn, withJobs } from './stored.ts'
import { jobOf, taskOf } from './tick.ts'
import type { TickerParts } from './ticker.ts'
import { Ticker } from './ticker.ts'
import { documentsOf, store } from './upsert.ts'

/** What is told of a schedule. Times are milliseconds since the epoch. */
export interface ScheduleView {
  readonly name: string
  readonly task: string
  /** The input of its jobs; the raw text when it cannot be decoded. */
  readonly input: unknown
  readonly cron?: string
  readonly timeZone?: string
  /** Milliseconds between ticks. */
  readonly every?: number
  readonly catchUp: CatchUp
  readonly overlap: Overlap
  readonly priority?: number
  readonly key?: string
  readonly paused: boolean
  /** The next tick; absent while it is paused. */
  readonly nextAt?: number
  /** The last tick that made a job, and the last job, by a tick or by runNow(). */
  readonly lastTick?: number
  readonly lastJobId?: string
}

/** A schedule that others write all the time is tried so often. */
const MOST_TRIES = 50
const MOST_NEXT = 1000

/** Work that is queued again and again: stored beside the jobs, ticked by every process with a worker. */
export class Schedules {
  readonly #parts: TickerParts
  readonly #tickers = new Set<Ticker>()

  constructor(parts: TickerParts) {
    this.#parts = parts
  }

  /**
   * Stores a schedule by its name. The same again changes nothing; another timing is counted from now; a paused one stays
   * paused. @throws TASK_UNKNOWN, InputError, PAYLOAD_INVALID, PAYLOAD_TOO_LARGE, BackendError, CAPABILITY_MISSING
   */
  async put(schedule: Schedule): Promise<void> {
    checkSchedules([schedule], this.#parts.tasks)
    await store(await this.#documents(), [schedule], this.#parts)
    this.#look()
  }

  /** A page of schedules in the order of their names; pass `next` as `after` for the next page. `limit`: 100, at most 1000. */
  async list(
    options: { readonly after?: string; readonly limit?: number } = {},
  ): Promise<{ schedules: ScheduleView[]; next?: string }> {
    const { after, limit = 100 } = options
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
      throw new OffloadError(
        'OPTION_INVALID',
        `limit must be a whole number from 1 to 1000, not ${shown(limit)}`,
      )
    const page = await (await this.#documents()).list({
      kind: KIND,
      limit,
      ...(after === undefined ? {} : { after }),
    })
    const last = page.length < limit ? undefined : page.at(-1)
    const schedules = page.flatMap((document) => viewOf(document) ?? [])
    return { schedules, ...(last === undefined ? {} : { next: last.name }) }
  }

  async get(name: string): Promise<ScheduleView | undefined> {
    const document = await this.#find(name)
    return document === undefined ? undefined : viewOf(document)
  }

  /** The next ticks from now on, as if it were not paused (ms since the epoch). @throws SCHEDULE_NOT_FOUND, OPTION_INVALID */
  async next(name: string, count = 1): Promise<number[]> {
    if (!Number.isInteger(count) || count < 1 || count > MOST_NEXT)
      throw new OffloadError(
        'OPTION_INVALID',
        `count must be a whole number from 1 to ${MOST_NEXT}, not ${shown(count)}`,
      )
    const calendar = calendarIn(storedIn(await this.#known(name)))
    const ticks: number[] = []
    let tick = calendar.next(this.#parts.clock.now())
    for (; tick !== undefined && ticks.length < count; tick = calendar.next(tick)) ticks.push(tick)
    return ticks
  }

  /** No more ticks until resume(). What was made already runs. @throws SCHEDULE_NOT_FOUND */
  async pause(name: string): Promise<void> {
    await this.#change(name, (stored) => ({ value: JSON.stringify({ ...stored, paused: true }) }))
  }

  /** Goes on with the next tick from now; those of the pause are gone. @throws SCHEDULE_NOT_FOUND */
  async resume(name: string): Promise<void> {
    await this.#change(name, (stored) => {
      if (!stored.paused) return undefined
      const dueAt = calendarIn(stored).next(this.#parts.clock.now())
      const value = JSON.stringify({ ...stored, paused: false })
      return { value, ...(dueAt === undefined ? {} : { dueAt }) }
    })
    this.#look()
  }

  /** Queues a job of the schedule now, paused or not; answers its id. @throws SCHEDULE_NOT_FOUND, TASK_UNKNOWN */
  async runNow(name: string): Promise<string> {
    const { clock, newId, tasks } = this.#parts
    const making = { ...this.#parts, now: clock.now() }
    const id = `${name}@${newId(making.now)}`
    await this.#change(name, (stored, { dueAt }) => ({
      value: JSON.stringify(withJobs(stored, [id], stored.jobIds)),
      jobs: [jobOf(id, stored.definition, taskOf(stored.definition, tasks), making)],
      ...(dueAt === undefined ? {} : { dueAt }),
    }))
    return id
  }

  /** Forgets a schedule; its jobs stay. False when there is none. */
  async remove(name: string): Promise<boolean> {
    const documents = await this.#documents()
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const document = await this.#find(name)
      if (document === undefined) return false
      const { kind, version } = document
      const [gone] = await documents.write([{ kind, name, expected: version, value: undefined }])
      if (gone === true) return true
    }
    throw contested(name)
  }

  /** Makes the jobs of due ticks until `signal` aborts. */
  async tick(signal: AbortSignal): Promise<void> {
    const ticker = new Ticker(this.#parts)
    this.#tickers.add(ticker)
    await ticker.run(signal)
    this.#tickers.delete(ticker)
  }

  #look(): void {
    for (const ticker of this.#tickers) ticker.look()
  }

  async #documents(): Promise<Documents> {
    return documentsOf(await this.#parts.open())
  }

  async #find(name: string): Promise<Document | undefined> {
    const [document] = await (await this.#documents()).list({ kind: KIND, names: [String(name)] })
    return document
  }

  async #known(name: string): Promise<Document> {
    const document = await this.#find(name)
    if (document !== undefined) return document
    throw new OffloadError('SCHEDULE_NOT_FOUND', `no schedule ${shown(name)} is stored: put() it first`)
  }

  /** Writes what `decide` makes of the schedule as it is; tried again when somebody else was first. */
  async #change(
    name: string,
    decide: (
      stored: Stored,
      document: Document,
    ) => Omit<DocumentChange, 'kind' | 'name' | 'expected'> | undefined,
  ): Promise<void> {
    const documents = await this.#documents()
    for (let tries = 0; tries < MOST_TRIES; tries++) {
      const document = await this.#known(name)
      const change = decide(storedIn(document), document)
      if (change === undefined) return
      const [made] = await documents.write([{ kind: KIND, name, expected: document.version, ...change }])
      if (made === true) return
    }
    throw contested(name)
  }
}

function contested(name: string): BackendError {
  return new BackendError(
    'BACKEND_UNAVAILABLE',
    `schedule "${name}" was changed by others all the time; nothing was changed here: try again`,
    { retryAfterMs: 1000 },
  )
}

/** Undefined where the document cannot be read. */
function viewOf(document: Document): ScheduleView | undefined {
  try {
    const { definition, paused, lastTick, jobIds } = storedIn(document)
    const { payload, timing, ...rest } = definition
    const lastJobId = jobIds.at(-1)
    const { dueAt: nextAt } = document
    return {
      name: document.name,
      ...rest,
      input: decoded(payload),
      ...('everyMs' in timing ? { every: timing.everyMs } : timing),
      paused,
      ...(nextAt === undefined ? {} : { nextAt }),
      ...(lastTick === undefined ? {} : { lastTick }),
      ...(lastJobId === undefined ? {} : { lastJobId }),
    }
  } catch {
    return undefined
  }
}

function decoded(text: string): unknown {
  try {
    return decode(text)
  } catch {
    return text
  }
}
