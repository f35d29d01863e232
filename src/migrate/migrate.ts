import type { Backend } from '../backend.ts'
import type { Clock } from '../clock.ts'
import { sleep } from '../clock.ts'
import type { Documents } from '../documents.ts'
import { CapabilityError, OffloadError } from '../job/errors.ts'
import type { JobRecord } from '../job/job.ts'
import { canBeMoved } from '../job/past.ts'
import type { Ledger } from '../ledger.ts'
import { documentsIn, moveDocuments } from './documents.ts'
import { moveJobs } from './jobs.ts'
import { Journal } from './journal.ts'
import { pauseQueues, resumeQueues } from './queues.ts'
import type { Counts } from './survey.ts'
import { oldestFirst, runningIn, survey } from './survey.ts'

const LOOK_MS = 100
/** While producers still write to the old store there is always more: so often it is looked for. */
const PASSES = 20

export interface MigrateOptions {
  readonly clock: Clock
  /** How the new place is named in messages and in the old store, without secrets. */
  readonly to: string
  /** How long running jobs may take to end (ms). */
  readonly waitMs: number
  /** Queues that may hold no job now, whose pause goes along. */
  readonly queues?: readonly string[]
  /** A move to another place, begun and not finished, is forgotten. @default false */
  readonly anew?: boolean
  readonly onProgress?: (done: number, total: number) => void
}

export interface Migrated {
  readonly jobs: Counts
  /** Kind and name of each. */
  readonly documents: readonly string[]
  /** Queues whose pause went along. */
  readonly paused: readonly string[]
  /** Queues that were paused in the new store already: nothing of theirs runs until they are resumed there. */
  readonly idle: readonly string[]
  /** What stays in the old store, and why. */
  readonly left: readonly { readonly what: string; readonly why: string }[]
  /** Jobs that came to the old store in the meantime: its producers still write there. */
  readonly remaining: number
}

interface Store {
  readonly ledger: Ledger
  readonly documents: Documents
}

/**
 * Moves waiting, scheduled and dead jobs with their past, and all documents, from one store to another. It may be killed at
 * any instant and run again: a job is forgotten in the old store only when the new one has it, and a job that is there
 * already is not taken twice. @throws MOVE_REFUSED
 */
export async function migrate(from: Backend, to: Backend, options: MigrateOptions): Promise<Migrated> {
  const [here, there] = [storeOf(from), storeOf(to)]
  const release = options.clock.keepAlive()
  try {
    const { anew = false } = options
    const journal = await Journal.open(here.documents, there.documents, options.to, anew)
    return await new Move(here, there, journal, options).run()
  } finally {
    release()
  }
}

/** What would be moved; nothing is changed. */
export async function whatToMove(from: Backend): Promise<{
  jobs: Counts
  documents: readonly string[]
  paused: readonly string[]
  running: readonly string[]
}> {
  const { ledger, documents } = storeOf(from)
  const { counts, queues, running } = await survey(ledger, new Set())
  const paused = await pausedOf(ledger, [...queues])
  const all = await documentsIn(documents)
  return {
    jobs: counts,
    documents: all.map(({ kind, name }) => `${kind} ${name}`),
    paused,
    running: workersOf(running),
  }
}

class Move {
  readonly #from: Store
  readonly #to: Store
  readonly #journal: Journal
  readonly #options: MigrateOptions
  readonly #moved: Counts = { queued: 0, scheduled: 0, dead: 0 }
  readonly #left = new Map<string, string>()
  readonly #documents: string[] = []
  readonly #stuck = new Map<string, string>()
  readonly #paused = new Set<string>()
  #done = 0

  constructor(from: Store, to: Store, journal: Journal, options: MigrateOptions) {
    this.#from = from
    this.#to = to
    this.#journal = journal
    this.#options = options
  }

  async run(): Promise<Migrated> {
    await this.#pause(this.#options.queues ?? [])
    let remaining = await this.#moveAll()
    // Schedules go last: what they queue here meanwhile is moved like any other job, and they know their jobs there.
    await this.#journal.begin()
    const { moved, left } = await moveDocuments(this.#from.documents, this.#to.documents, this.#journal)
    this.#documents.push(...moved)
    for (const [name, why] of left) this.#stuck.set(name, why)
    remaining = await this.#moveAll()
    await this.#journal.finish()
    const kept = [...this.#left].map(([id, why]) => ({ what: `job ${id}`, why }))
    return {
      jobs: this.#moved,
      documents: this.#documents,
      paused: this.#journal.queues.filter(({ paused }) => paused).map(({ queue }) => queue),
      idle: await this.#idle(),
      left: [...kept, ...[...this.#stuck].map(([what, why]) => ({ what, why }))],
      remaining,
    }
  }

  /** Moves jobs until none is found. Answers how many are left when that does not come. */
  async #moveAll(): Promise<number> {
    for (let pass = 1; ; pass++) {
      const found = await survey(this.#from.ledger, new Set(this.#left.keys()))
      if (found.total === 0 && found.running.length === 0) return 0
      if (pass > PASSES) return found.total + found.running.length
      await this.#pause(found.queues)
      if (found.running.length > 0) await this.#untilIdle()
      await this.#journal.begin()
      const total = this.#done + found.total
      for await (const page of oldestFirst(this.#from.ledger, found)) await this.#movePage(page, total)
    }
  }

  async #movePage(page: readonly JobRecord[], total: number): Promise<void> {
    const jobs = page.filter(({ id, queue }) => !this.#left.has(id) && this.#paused.has(queue))
    if (jobs.length === 0) return
    const { moved, left } = await moveJobs(this.#from.ledger, this.#to.ledger, jobs)
    for (const { state } of moved) if (canBeMoved(state)) this.#moved[state]++
    for (const [id, why] of left) this.#left.set(id, why)
    this.#done += jobs.length
    this.#options.onProgress?.(this.#done, Math.max(total, this.#done))
  }

  async #idle(): Promise<readonly string[]> {
    const ours = this.#journal.queues.filter(({ paused }) => !paused)
    return pausedOf(
      this.#to.ledger,
      ours.map(({ queue }) => queue),
    )
  }

  async #pause(queues: Iterable<string>): Promise<void> {
    const fresh = [...queues].filter((queue) => !this.#paused.has(queue))
    await pauseQueues(this.#from.ledger, this.#to.ledger, this.#journal, fresh)
    for (const queue of fresh) this.#paused.add(queue)
  }

  /** @throws MOVE_REFUSED naming the workers, with the queues as they were unless something may be in both stores */
  async #untilIdle(): Promise<void> {
    const { clock, waitMs } = this.#options
    const until = clock.elapsed() + waitMs
    for (;;) {
      const running = await runningIn(this.#from.ledger)
      if (running.length === 0) return
      await this.#pause(new Set(running.map(({ queue }) => queue)))
      if (clock.elapsed() >= until) {
        if (!this.#journal.hasBegun) await resumeQueues(this.#from.ledger, this.#journal)
        throw new OffloadError(
          'MOVE_REFUSED',
          `jobs still run in the old store: ${workersOf(running).join(', ')}; stop the workers there, or wait longer with --wait`,
        )
      }
      await sleep(clock, LOOK_MS)
    }
  }
}

async function pausedOf(ledger: Ledger, queues: readonly string[]): Promise<string[]> {
  return (await ledger.depth(queues)).filter(({ paused }) => paused).map(({ queue }) => queue)
}

/** Who runs how many, as a message says it. */
function workersOf(running: readonly JobRecord[]): string[] {
  const counts = new Map<string, number>()
  for (const { worker = '?' } of running) counts.set(worker, (counts.get(worker) ?? 0) + 1)
  return [...counts].map(([worker, count]) => `worker ${worker} (${count})`)
}

/** @throws CAPABILITY_MISSING */
function storeOf({ broker, ledger, documents }: Backend): Store {
  if (ledger !== undefined && documents !== undefined) return { ledger, documents }
  throw new CapabilityError('CAPABILITY_MISSING', `${broker.name} remembers no jobs: name its ledger`)
}
