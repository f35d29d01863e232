import type { Depth } from '../broker.ts'
import type { Channel } from '../http/channel.ts'
import { errorCodes, OffloadError } from '../job/errors.ts'
import type { WorkerView } from '../presence/view.ts'
import type { Taken } from './sample.ts'
import { queueRows, sampleOf } from './sample.ts'
import type { Live, LiveTrouble, LiveWorkers, QueueRow, Sample } from './shapes.ts'
import type { DashboardSource } from './source.ts'
import { eventText } from './streams.ts'

const EVERY_MS = 1000
/** Five minutes. */
const MOST_KEPT = 300
const MOST_QUEUES = 200
const MOST_WORKERS = 200

type Source = Pick<DashboardSource, 'depth' | 'queues' | 'tasks' | 'workers'>

/** Asks the store once a second for all pages that look, and not at all while none does. */
export class LiveFeed {
  readonly #source: Source
  /** Whether a page wants the workers one by one. */
  readonly #pages = new Map<Channel, boolean>()
  #kept: Sample[] = []
  #last: Taken | undefined
  #timer: NodeJS.Timeout | undefined
  #asking: Promise<void> | undefined

  constructor(source: Source) {
    this.#source = source
  }

  /** The page is told what was, then what is, each second. */
  join(channel: Channel, withWorkers: boolean): void {
    channel.push(eventText('history', this.#kept))
    this.#pages.set(channel, withWorkers)
    if (this.#timer !== undefined) return
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref()
    this.#look()
  }

  leave(channel: Channel): void {
    this.#pages.delete(channel)
    if (this.#pages.size > 0) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  /** A store that is slow to answer is asked again when it has. */
  #look(): void {
    this.#asking ??= this.#ask().finally(() => {
      this.#asking = undefined
    })
  }

  async #ask(): Promise<void> {
    try {
      const [depths, workers] = await Promise.all([queuesOf(this.#source), workersOf(this.#source)])
      this.#tell({ at: Date.now(), depths, workers })
    } catch (error) {
      this.#send('trouble', troubleOf(error))
    }
  }

  #tell(taken: Taken): void {
    const rows = queueRows(taken, this.#last)
    const sample = sampleOf(taken, rows)
    this.#last = taken
    this.#kept = [...this.#kept.slice(1 - MOST_KEPT), sample]
    this.#send('live', liveOf(sample, rows))
    if ([...this.#pages.values()].includes(true)) this.#send('workers', workersTold(taken.workers), true)
  }

  /** Written once, however many read. */
  #send(name: string, data: object, onlyWithWorkers = false): void {
    const text = eventText(name, data)
    for (const [channel, withWorkers] of this.#pages) if (withWorkers || !onlyWithWorkers) channel.push(text)
  }
}

/** Where no ledger knows of all queues, those that the tasks here go to. */
async function queuesOf(source: Source): Promise<readonly Depth[]> {
  try {
    return await source.queues()
  } catch (error) {
    if (!lacksLedger(error)) throw error
    const names = new Set(source.tasks.map(({ queue }) => queue))
    return Promise.all([...names].map((queue) => source.depth(queue)))
  }
}

/** Null where nothing remembers workers. */
export async function workersOf(source: Pick<DashboardSource, 'workers'>): Promise<WorkerView[] | null> {
  try {
    return await source.workers()
  } catch (error) {
    if (lacksLedger(error)) return null
    throw error
  }
}

function lacksLedger(error: unknown): boolean {
  return error instanceof OffloadError && error.code === 'CAPABILITY_MISSING'
}

function liveOf(sample: Sample, rows: readonly QueueRow[]): Live {
  const queues = rows.slice(0, MOST_QUEUES)
  return { sample, queues, moreQueues: rows.length - queues.length }
}

function workersTold(workers: readonly WorkerView[] | null): LiveWorkers {
  if (workers === null) return { workers, moreWorkers: 0 }
  const told = workers.slice(0, MOST_WORKERS)
  return { workers: told, moreWorkers: workers.length - told.length }
}

function troubleOf(error: unknown): LiveTrouble {
  const at = Date.now()
  if (!(error instanceof OffloadError)) return { at, code: 'UNEXPECTED', title: 'The store cannot be asked.' }
  return { at, code: error.code, title: errorCodes[error.code] }
}
