import type { Accepted } from '../broker.ts'
import type { Job, JobRecord } from '../job/job.ts'
import { jobOf, pastOf } from '../job/past.ts'
import type { Ledger } from '../ledger.ts'

/** The payloads that are sent in one call hold at most so many characters, unless one alone is longer. */
const CHARS = 4_000_000

export interface MovedJobs {
  /** Now there, and no longer here. */
  readonly moved: readonly JobRecord[]
  /** Why the others stay here, by id. */
  readonly left: ReadonlyMap<string, string>
}

/** Records jobs at the other end, in their order, and forgets here those that are there for sure. */
export async function moveJobs(from: Ledger, to: Ledger, jobs: readonly JobRecord[]): Promise<MovedJobs> {
  const moved: JobRecord[] = []
  const left = new Map<string, string>()
  for (const some of inParts(jobs)) {
    const there = await arrived(to, some, await to.record(some.map(arriving)), left)
    if (there.length === 0) continue
    const { verdicts } = await from.act({ type: 'forget', ids: there.map(({ id }) => id) })
    const kept = there.filter((_, nth) => verdicts[nth] === 'refused')
    moved.push(...there.filter((_, nth) => verdicts[nth] === 'done'))
    if (kept.length === 0) continue
    // Somebody resumed its queue, or cancelled it: what happened here counts.
    await to.act({ type: 'forget', ids: kept.map(({ id }) => id) })
    for (const { id } of kept) left.set(id, 'it was started or ended here while it was moved')
  }
  return { moved, left }
}

function arriving(record: JobRecord): Job {
  const past = pastOf(record)
  return { ...jobOf(record), ...(past === undefined ? {} : { past }) }
}

function* inParts(jobs: readonly JobRecord[]): Generator<readonly JobRecord[]> {
  let [from, chars] = [0, 0]
  for (const [at, { payload }] of jobs.entries()) {
    if (chars + payload.length > CHARS && at > from) {
      yield jobs.slice(from, at)
      from = at
      chars = 0
    }
    chars += payload.length
  }
  if (from < jobs.length) yield jobs.slice(from)
}

/** Those that the other end has: taken now, or by a move that was killed. */
async function arrived(
  to: Ledger,
  jobs: readonly JobRecord[],
  answers: readonly Accepted[],
  left: Map<string, string>,
): Promise<readonly JobRecord[]> {
  const known = jobs.filter(({ id }, nth) => answers[nth]?.status === 'duplicate' && answers[nth]?.id === id)
  const found = new Map<string, JobRecord>()
  if (known.length > 0)
    for (const job of (await to.find({ ids: known.map(({ id }) => id), limit: known.length })).jobs)
      found.set(job.id, job)
  return jobs.filter((job, nth) => {
    const { id, status } = answers[nth] ?? { id: job.id, status: 'full' }
    if (status === 'queued') return true
    const same = id === job.id ? found.get(id) : undefined
    if (status === 'duplicate' && same !== undefined && isSame(job, same)) return true
    left.set(job.id, reasonOf(job, id, status))
    return false
  })
}

function isSame(a: Job, b: Job): boolean {
  return (
    a.task === b.task &&
    a.queue === b.queue &&
    a.payload === b.payload &&
    a.createdAt === b.createdAt &&
    a.tenant === b.tenant
  )
}

function reasonOf(job: JobRecord, id: string, status: Accepted['status']): string {
  if (status === 'mismatch') return `its idempotency key was used there for another request, by job ${id}`
  if (status === 'duplicate' && id !== job.id) return `its idempotency key is that of job ${id} there`
  if (status === 'full') return 'there was no room for it'
  if (status === 'tooLarge') return 'it is too large for a message there'
  if (status === 'failed') return 'its queue takes nothing there'
  return 'another job has its id there'
}
