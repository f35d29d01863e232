import type { JobRecord } from '../job/job.ts'
import { canBeMoved } from '../job/past.ts'
import type { FindQuery, Ledger } from '../ledger.ts'

/** So many jobs are read, recorded and forgotten together. */
export const PAGE = 200

/** Pages of a query, newest first, by the cursor that each begins with. */
interface Walk {
  readonly query: FindQuery
  readonly cursors: readonly (string | undefined)[]
}

export interface Counts {
  queued: number
  scheduled: number
  dead: number
}

/** What there is to move. */
export interface Survey {
  readonly counts: Counts
  readonly total: number
  readonly queues: ReadonlySet<string>
  readonly running: readonly JobRecord[]
  readonly walks: readonly Walk[]
}

/** Looks at all that waits, runs or is dead, but for those that are left. */
export async function survey(ledger: Ledger, left: ReadonlySet<string>): Promise<Survey> {
  const counts: Counts = { queued: 0, scheduled: 0, dead: 0 }
  const queues = new Set<string>()
  let hasLater = false
  const look = ({ id, queue, state, key }: JobRecord): void => {
    if (!canBeMoved(state) || left.has(id)) return
    counts[state]++
    queues.add(queue)
    if (state === 'scheduled' && key !== undefined) hasLater = true
  }
  const [scheduled, queued, dead] = [
    await walk(ledger, { state: 'scheduled' }, look),
    await walk(ledger, { state: 'queued' }, look),
    await walk(ledger, { state: 'dead' }, look),
  ]
  const running = await runningIn(ledger)
  for (const { queue } of running) queues.add(queue)
  // In the line of a key a job that is due later stands where it was accepted: all are moved in one order then.
  const walks = hasLater ? [await walk(ledger, {}, () => {})] : [queued, scheduled, dead]
  return { counts, total: counts.queued + counts.scheduled + counts.dead, queues, running, walks }
}

export async function runningIn(ledger: Ledger): Promise<readonly JobRecord[]> {
  return (await ledger.find({ state: 'running', limit: 1000 })).jobs
}

async function walk(ledger: Ledger, query: FindQuery, look: (job: JobRecord) => void): Promise<Walk> {
  const cursors: (string | undefined)[] = []
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    cursors.push(cursor)
    const page = await ledger.find(at(query, cursor))
    for (const job of page.jobs) look(job)
    cursor = page.next
  }
  return { query, cursors }
}

/** The jobs of a survey, page by page, what was accepted first before the others. */
export async function* oldestFirst(ledger: Ledger, { walks }: Survey): AsyncGenerator<readonly JobRecord[]> {
  for (const { query, cursors } of walks)
    for (const cursor of cursors.toReversed()) {
      const { jobs } = await ledger.find(at(query, cursor))
      yield jobs.filter(({ state }) => canBeMoved(state)).reverse()
    }
}

function at(query: FindQuery, cursor: string | undefined): FindQuery {
  return { ...query, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }
}
