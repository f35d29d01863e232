import type { JobView } from '../reading/view.ts'
import { rowOf } from './job-rows.ts'
import type { Search } from './query.ts'
import type { JobPage } from './shapes.ts'
import type { DashboardSource } from './source.ts'

/** One request looks for an error text in so many jobs, and for about so long. */
const MOST_LOOKED = 2000
const LOOK_MS = 300
const STEP = 200

type Finder = Pick<DashboardSource, 'find'>

/** A page of jobs, newest first. No store has an index of error texts: for those, jobs are looked through a stretch at a time. */
export async function jobPage(source: Finder, { query, text }: Search): Promise<JobPage> {
  if (text !== undefined) return lookFor(text.toLowerCase(), source, query)
  const { jobs, next } = await source.find(query)
  return { jobs: jobs.map(rowOf), ...(next === undefined ? {} : { next }) }
}

async function lookFor(text: string, source: Finder, query: Search['query']): Promise<JobPage> {
  const { limit = STEP } = query
  const found: JobView[] = []
  let { cursor } = query
  const start = performance.now()
  for (let looked = 0; ; ) {
    const page = await source.find({ ...query, limit: STEP, ...(cursor === undefined ? {} : { cursor }) })
    looked += page.jobs.length
    found.push(...page.jobs.filter((job) => has(job, text)))
    cursor = page.next
    if (
      cursor !== undefined &&
      found.length < limit &&
      looked < MOST_LOOKED &&
      performance.now() - start < LOOK_MS
    )
      continue
    return { jobs: found.map(rowOf), looked, ...(cursor === undefined ? {} : { next: cursor }) }
  }
}

function has({ faults }: JobView, text: string): boolean {
  return faults.some(({ code, name, message }) =>
    [code, name, message].some((part) => part.toLowerCase().includes(text)),
  )
}
