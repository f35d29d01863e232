import type { Backend, BackendOptions } from '../../backend.ts'
import type { Amount, Claim, Depth, Features, Room } from '../../broker.ts'
import type { Documents } from '../../documents.ts'
import type { Job, JobRecord } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { Ledger } from '../../ledger.ts'

export type ConformanceGroup =
  | 'envelope'
  | 'deliver'
  | 'ack'
  | 'lease'
  | 'retry'
  | 'time'
  | 'priority'
  | 'order'
  | 'dedup'
  | 'flow'
  | 'lifecycle'
  | 'admin'
  | 'events'
  | 'documents'
  | 'security'
  | 'follow'
  | 'outbox'
  | 'strangers'
  | 'model'

/** One thing that every backend must do, in a sentence. Fails by throwing. */
export interface ConformanceCase {
  readonly group: ConformanceGroup
  readonly name: string
  /** A broker that works without one is excused. */
  readonly needsLedger?: boolean
  /** Why this backend is excused; undefined when it is not. */
  readonly skip?: (target: ConformanceTarget, features: Features) => string | undefined
  readonly run: (bench: Bench) => Promise<void>
}

/** A backend under test, as its owner provides it. */
export interface ConformanceTarget {
  readonly name: string
  /** Time passes only by `advance`. */
  readonly virtual: boolean
  /** Opens a fresh, empty store. */
  open(overrides?: Partial<BackendOptions>): Promise<Backend>
  /** Opens the store last opened once more, as another process would; undefined where that cannot be. */
  reopen?(overrides?: Partial<BackendOptions>): Promise<Backend>
  advance(ms: number): Promise<void>
  now(): number
  /** Publishes a message to the queue of the job as another program would: undefined where none can. */
  publishAsStranger?(job: Job): Promise<void>
}

const WORKER = 'conformance'
/** Real milliseconds within which a job that is there must arrive, and after which none is taken to be there. */
const ARRIVE_MS = 5000
const NONE_MS = 80

/** Thrown by a case that asks for the ledger on its way, where there is none. */
class Excused extends Error {}
const NO_LEDGER = 'needs a ledger, and this broker works without one'

/** The tools of a case: short words for the seams. */
export class Bench {
  readonly target: ConformanceTarget
  readonly backend: Backend
  readonly #others: Backend[] = []
  #numbers = 0

  constructor(target: ConformanceTarget, backend: Backend) {
    this.target = target
    this.backend = backend
  }

  /** A case that asks for it is skipped where there is none. */
  get ledger(): Ledger {
    if (this.backend.ledger === undefined)
      throw new Excused('needs a ledger, and this broker works without one')
    return this.backend.ledger
  }

  get documents(): Documents {
    if (this.backend.documents !== undefined) return this.backend.documents
    if (this.backend.ledger !== undefined) throw new Error('a backend with a ledger has documents')
    throw new Excused()
  }

  job(overrides: Partial<Job> = {}): Job {
    const number = ++this.#numbers
    return {
      id: `job-${number}`,
      task: 'test',
      queue: 'q',
      payload: JSON.stringify({ number }),
      priority: 4,
      createdAt: this.target.now(),
      maxAttempts: 3,
      ...overrides,
    }
  }

  async enqueue(...overrides: Partial<Job>[]): Promise<Job[]> {
    const jobs = overrides.map((one) => this.job(one))
    await this.backend.broker.enqueue(jobs)
    return jobs
  }

  /** Claims until `count` jobs came, in their order. */
  async take(
    count: number,
    queue = 'q',
    leaseMs = 30_000,
    backend: Backend = this.backend,
  ): Promise<Claim[]> {
    const signal = AbortSignal.timeout(ARRIVE_MS)
    const claims: Claim[] = []
    while (claims.length < count && !signal.aborted)
      claims.push(
        ...(await backend.broker.claim(queue, {
          limit: count - claims.length,
          leaseMs,
          worker: WORKER,
          signal,
        })),
      )
    if (claims.length < count)
      throw new Error(`${count} jobs were awaited in "${queue}", ${claims.length} came`)
    return claims
  }

  async takeOne(queue = 'q', leaseMs = 30_000): Promise<Claim> {
    const [claim] = await this.take(1, queue, leaseMs)
    return claim as Claim
  }

  /** Claims for a moment and answers what came: for jobs that must not. */
  takeIfAny(limit = 10, queue = 'q', leaseMs = 30_000): Promise<readonly Claim[]> {
    return this.backend.broker.claim(queue, {
      limit,
      leaseMs,
      worker: WORKER,
      signal: AbortSignal.timeout(NONE_MS),
    })
  }

  async settle(claim: Claim, ending: Ending): Promise<boolean> {
    const [held] = await this.backend.broker.settle([{ claim, ...ending }])
    return held === true
  }

  /** Takes one job and ends its claim. */
  async end(ending: Ending): Promise<void> {
    if (!(await this.settle(await this.takeOne(), ending))) throw new Error('a claim was lost at once')
  }

  async record(id: string): Promise<JobRecord> {
    const { jobs } = await this.ledger.find({ ids: [id] })
    if (jobs[0] === undefined) throw new Error(`job ${id} is not remembered`)
    return jobs[0]
  }

  async depth(queue = 'q'): Promise<Depth> {
    const [depth] = await this.ledger.depth([queue])
    if (depth === undefined) throw new Error(`the ledger told nothing of queue "${queue}"`)
    return depth
  }

  async reopen(): Promise<Backend> {
    if (this.target.reopen === undefined) throw new Error('this case needs a second connection')
    const other = await this.target.reopen()
    this.#others.push(other)
    return other
  }

  async close(): Promise<void> {
    for (const other of this.#others) await other.close()
    await this.backend.close()
  }

  fault(message = 'failed'): { code: string; name: string; message: string; attempt: number; at: number } {
    return { code: 'HANDLER_FAILED', name: 'Error', message, attempt: 1, at: this.target.now() }
  }
}

/** So much may wait in each queue; what is not named has no limit. */
export const roomFor =
  (limit: Partial<Amount>): Room =>
  () => ({ jobs: Number.POSITIVE_INFINITY, bytes: Number.POSITIVE_INFINITY, ...limit })

export const ids = (claims: readonly Claim[]): string[] => claims.map(({ job }) => job.id)

export const needsSecond = (target: ConformanceTarget): string | undefined =>
  target.reopen === undefined ? 'one process holds the whole store' : undefined

/** What the cases of a group are about: a broker that lacks it and has no ledger says so in `features`. */
const excuses: Partial<Record<ConformanceGroup, (features: Features) => string | undefined>> = {
  lease: ({ redeliver }) =>
    redeliver === 'lease' ? undefined : `a claim is held by its ${redeliver}, not by a lease that lapses`,
  priority: ({ priorities }) => (priorities === 10 ? undefined : `has ${priorities} of the ten priorities`),
  order: ({ ordered }) => (ordered ? undefined : 'keeps no order by key'),
  dedup: ({ dedupMs }) => (dedupMs > 0 ? undefined : 'remembers no ids'),
}

/** Runs one case on a fresh store. */
export async function runCase(
  test: ConformanceCase,
  target: ConformanceTarget,
): Promise<{ skipped: string } | undefined> {
  const backend = await target.open()
  const bench = new Bench(target, backend)
  try {
    const { features } = backend.broker
    if (test.needsLedger === true && backend.ledger === undefined) return { skipped: NO_LEDGER }
    const reason = excuses[test.group]?.(features) ?? test.skip?.(target, features)
    if (reason !== undefined) return { skipped: reason }
    await test.run(bench)
    return undefined
  } catch (error) {
    if (error instanceof Excused) return { skipped: NO_LEDGER }
    throw error
  } finally {
    await bench.close()
  }
}
