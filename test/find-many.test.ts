import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { FindQuery, JobView, Offload } from 'offload'
import { offload, task } from 'offload'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { startRedis } from '../scripts/servers/redis.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

/** More than are few: they are then found by where they are. */
const MANY = 10_050
const input = z.object({ n: z.number() })
const run = (): void => {}
const waits = task('waits', { queue: 'waits', input, run })
const keyed = task('keyed', { queue: 'waits', input, key: 'one', run })
const later = task('later', { queue: 'later', input, run })
const soon = task('soon', { queue: 'soon', input, run })

const redis = await needs('redis', startRedis)
const folder = mkdtempSync(join(tmpdir(), 'offload-find-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const stores = [
  ['SQLite', `sqlite:${join(folder, 'jobs.db')}?synchronous=normal`],
  ...(redis === undefined ? [] : [['Redis', `redis://127.0.0.1:${redis.port}?prefix=find`] as const]),
] as const

describe.each(stores)('among many on %s', (_, url) => {
  let queue: Offload
  /** Every job, newest first. */
  let all: JobView[]

  beforeAll(async () => {
    queue = offload({
      url,
      tasks: [waits, keyed, later, soon],
      logger: silentLogger,
    })
    const items = Array.from({ length: MANY }, (_, n) => ({ input: { n } }))
    const inAnHour = { options: { delay: '1h' } } as const
    const ofAcme = (item: (typeof items)[number]) => ({ ...item, options: { tenant: 'acme "1"' } })
    // What others have in their payload must not find them.
    const lookAlike = { input: { n: 0, key: 'one', tenant: 'acme "1"' } }
    await queue.enqueueMany(keyed, items.slice(0, 30))
    await queue.enqueueMany(waits, [...items, lookAlike])
    await queue.enqueueMany(keyed, items.slice(0, 30).map(ofAcme))
    await queue.enqueueMany(
      later,
      items.map((item) => ({ ...item, ...inAnHour })),
    )
    await queue.enqueueMany(
      waits,
      items.slice(0, 20).map((item) => ({ ...item, ...inAnHour })),
    )
    const worker = queue.work({ queues: ['soon'], concurrency: 100 })
    await queue.enqueueMany(soon, items)
    await vi.waitFor(async () => expect((await queue.depth('soon')).totals?.done).toBe(MANY), 60_000)
    await worker.stop()
    all = await every({})
  }, 90_000)

  afterAll(async () => {
    await queue?.close()
  })

  /** Page after page. */
  async function every(query: FindQuery): Promise<JobView[]> {
    const found: JobView[] = []
    for (let cursor: string | undefined; ; ) {
      const page = await queue.find({ ...query, limit: 997, ...(cursor === undefined ? {} : { cursor }) })
      found.push(...page.jobs)
      cursor = page.next
      if (cursor === undefined) return found
    }
  }

  const ids = (jobs: readonly JobView[]): string[] => jobs.map(({ id }) => id)

  test.each<FindQuery>([
    { state: 'queued' },
    { state: 'scheduled' },
    { state: 'done' },
    { state: 'dead' },
    { state: 'queued', queue: 'waits' },
    { state: 'queued', queue: 'soon' },
    { state: 'scheduled', queue: 'waits' },
    { state: 'done', queue: 'soon' },
    { state: 'done', queue: 'waits' },
    { state: 'queued', task: 'keyed' },
    { state: 'queued', key: 'one' },
    { key: 'one' },
    { key: 'one', queue: 'waits' },
    { key: 'one', queue: 'soon' },
    { key: 'none' },
    { tenant: 'acme "1"' },
    { tenant: 'acme "1"', key: 'one', state: 'queued' },
    { tenant: 'acme' },
    { queue: 'none' },
    { queue: 'later' },
    { queue: 'waits' },
    { queue: 'soon' },
  ])('%j finds each job that fits once, newest first', async (query) => {
    const fits = (job: JobView): boolean =>
      Object.entries(query).every(([name, value]) => job[name as keyof JobView] === value)
    expect(all).toHaveLength(3 * MANY + 81)
    expect(ids(await every(query))).toEqual(ids(all.filter(fits)))
  })

  test.each<FindQuery>([{}, { state: 'queued' }, { queue: 'soon' }])(
    'of %j those accepted within a time are found',
    async (query) => {
      const [from = 0, to = 0] = [0.75, 0.25].map((share) => all[Math.floor(all.length * share)]?.createdAt)
      const fits = (job: JobView): boolean =>
        (query.state === undefined || job.state === query.state) &&
        (query.queue === undefined || job.queue === query.queue) &&
        job.createdAt >= from &&
        job.createdAt < to
      expect(ids(await every({ ...query, from, to }))).toEqual(ids(all.filter(fits)))
      expect(from).toBeLessThan(to)
    },
  )
})
