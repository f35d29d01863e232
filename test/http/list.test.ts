import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold } from './tasks.ts'

interface Listed {
  readonly jobs: { id: string; state: string; task: string }[]
  readonly next?: string
  readonly links?: { next: string }
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('there is no list unless a hook says who may see it', async () => {
      const shop = await openShop(door)
      expect((await shop.fetch('/jobs')).status).toBe(404)
    })

    test('who may not list gets 403', async () => {
      const shop = await openShop(door, { list: () => false })
      await problem(await shop.fetch('/jobs'), 403, 'FORBIDDEN')
    })

    test('a page has the newest jobs, never a payload, and the address of the next page', async () => {
      const shop = await openShop(door, { list: () => true })
      const ids: string[] = []
      for (let n = 0; n < 5; n++) ids.unshift((await shop.queue.enqueue(echo, { text: `p-secret-${n}` })).id)
      const answer = await shop.fetch('/jobs?limit=2&task=echo')
      expect(answer.headers.get('cache-control')).toBe('private, no-store')
      const text = await answer.text()
      expect(text).not.toContain('secret')
      const pages: Listed[] = [JSON.parse(text) as Listed]
      for (let next = pages[0]?.links?.next; next !== undefined; next = pages.at(-1)?.links?.next) {
        expect(next).toMatch(/^\/jobs\?limit=2&task=echo&cursor=/)
        pages.push(await json<Listed>(await shop.fetch(next)))
      }
      expect(pages.map(({ jobs }) => jobs.length)).toEqual([2, 2, 1])
      expect(pages.flatMap(({ jobs }) => jobs.map(({ id }) => id))).toEqual(ids)
      expect(pages.at(-1)).not.toHaveProperty('next')
    })

    test('jobs are found by state, task, queue, key and time', async () => {
      const shop = await openShop(door, { list: () => true })
      const done = await shop.queue.enqueue(echo, { text: 'a' })
      await shop.run(done.id)
      const keyed = await shop.queue.enqueue(hold, {}, { key: 'k' })
      const found = async (query: string): Promise<string[]> =>
        (await json<Listed>(await shop.fetch(`/jobs?${query}`))).jobs.map(({ id }) => id)
      expect(await found('state=done')).toEqual([done.id])
      expect(await found('task=hold')).toEqual([keyed.id])
      expect(await found('queue=none')).toEqual([])
      expect(await found('key=k&queue=default')).toEqual([keyed.id])
      expect(await found('from=2020-01-01T00:00:00Z&to=2999-01-01')).toEqual([keyed.id, done.id])
      expect(await found('to=2020-01-01')).toEqual([])
    })

    test('a query that cannot be answered is a 400 that says why, never a wider list', async () => {
      const shop = await openShop(door, { list: () => true })
      for (const query of [
        'state=finished',
        'limit=0',
        'limit=1001',
        'limit=ten',
        'limit=1&limit=2',
        'from=yesterday',
        'to=2020-13-45',
        'cursor=abc',
        'tenant=other',
        'ids=a',
        '__proto__=a',
      ])
        expect([query, (await shop.fetch(`/jobs?${query}`)).status]).toEqual([query, 400])
      expect((await problem(await shop.fetch('/jobs?stat=done'), 400, 'OPTION_INVALID')).detail).toBe(
        'the query has "stat", which is none of state, task, queue, key, from, to, limit, cursor',
      )
    })

    test('each tenant lists its own jobs alone, and who is of none lists nothing', async () => {
      const scopes = {
        a: true,
        queue: { queue: 'default' },
        all: { tenant: null },
        b: { tenant: 'b' },
      } as const
      const shop = await openShop(door, {
        tenant: (request) => request.headers.get('x-tenant') ?? undefined,
        list: (request) => scopes[(request.headers.get('x-scope') ?? 'a') as keyof typeof scopes],
      })
      const of: Record<string, string> = {}
      for (const tenant of ['a', 'b'])
        of[tenant] = (await shop.queue.enqueue(echo, { text: 'x' }, { tenant })).id
      const list = (headers: Record<string, string>, query = ''): Promise<Response> =>
        shop.fetch(`/jobs${query}`, { headers })
      const idsOf = async (answer: Response): Promise<string[]> =>
        (await json<Listed>(answer)).jobs.map(({ id }) => id)
      expect(await idsOf(await list({ 'x-tenant': 'a' }))).toEqual([of.a])
      expect(await idsOf(await list({ 'x-tenant': 'c' }))).toEqual([])
      expect(await idsOf(await list({ 'x-tenant': 'a', 'x-scope': 'queue' }))).toEqual([of.a])
      await problem(await list({}), 403, 'FORBIDDEN')
      await problem(await list({ 'x-scope': 'queue' }), 403, 'FORBIDDEN')
      expect(await idsOf(await list({ 'x-scope': 'b' }))).toEqual([of.b])
      expect(await idsOf(await list({ 'x-scope': 'all' }))).toEqual([of.b, of.a])
      expect(await idsOf(await list({ 'x-tenant': 'a' }, '?limit=1'))).toEqual([of.a])
    })

    test('a hook that finds nobody whose jobs may be listed lists none', async () => {
      let allowed: unknown
      const shop = await openShop(door, { list: () => allowed as boolean })
      await shop.queue.enqueue(echo, { text: 'a' }, { tenant: 'a' })
      for (allowed of [undefined, null, '', 0, 'ada', { tenant: undefined }, { queue: undefined }])
        await problem(await shop.fetch('/jobs'), 403, 'FORBIDDEN')
      allowed = { tenant: 'b' }
      expect(await json(await shop.fetch('/jobs'))).toEqual({ jobs: [] })
      const nobody = await openShop(door, { list: () => true, tenant: () => null as never })
      await nobody.queue.enqueue(echo, { text: 'a' }, { tenant: 'a' })
      await problem(await nobody.fetch('/jobs'), 403, 'FORBIDDEN')
    })

    test('a scope narrows what may be asked for, and is not widened by the query', async () => {
      const shop = await openShop(door, { list: () => ({ task: 'echo' }) })
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      await shop.queue.enqueue(hold, {})
      const { jobs } = await json<Listed>(await shop.fetch('/jobs?task=hold'))
      expect(jobs.map((job) => job.id)).toEqual([id])
    })
  })
