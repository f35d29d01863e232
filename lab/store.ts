import { openSqlite } from '../src/backends/sqlite/index.ts'
import { systemClock } from '../src/clock.ts'
import type { JobRecord } from '../src/job/job.ts'
import type { Ledger } from '../src/ledger.ts'
import { silentLogger } from '../src/log.ts'
import { keepAll } from './keep.ts'

/** The store of a file, to look at what it remembers. */
export async function openLedger(file: string): Promise<{ ledger: Ledger; close: () => Promise<void> }> {
  const options = { clock: systemClock, logger: silentLogger, retention: keepAll, timeoutMs: 5000 }
  const { ledger, close } = await openSqlite(file, options)
  if (ledger === undefined) throw new Error('SQLite has no ledger')
  return { ledger, close }
}

/** Every job that the store of a file remembers. */
export async function jobsOf(file: string): Promise<Map<string, JobRecord>> {
  const { ledger, close } = await openLedger(file)
  const jobs = new Map<string, JobRecord>()
  for (let cursor: string | undefined, more = true; more; more = cursor !== undefined) {
    const page = await ledger.find({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    for (const job of page.jobs) jobs.set(job.id, job)
    cursor = page.next
  }
  await close()
  return jobs
}
