import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import type { Shop } from './shop.ts'
import { json, openShop, problem } from './shop.ts'
import { echo, hold } from './tasks.ts'

/** Every way to a job. */
const ways = (id: string): [path: string, method: string][] => [
  [`/jobs/${id}`, 'GET'],
  [`/jobs/${id}`, 'HEAD'],
  [`/jobs/${id}/result`, 'GET'],
  [`/jobs/${id}/events`, 'GET'],
  [`/jobs/${id}/cancel`, 'POST'],
]

async function statuses(shop: Shop, id: string, headers: Record<string, string> = {}): Promise<number[]> {
  const found: number[] = []
  for (const [path, method] of ways(id)) {
    const answer = await shop.fetch(path, { method, headers })
    found.push(answer.status)
    await answer.body?.cancel()
  }
  return found
}

function refuse(response: Response): never {
  throw response
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('who holds an id that nobody can guess sees that job', async () => {
      const shop = await openShop(door)
      const { id } = await shop.queue.enqueue(hold, {})
      expect(await statuses(shop, id)).toEqual([200, 200, 409, 200, 200])
    })

    test('an id that somebody chose is closed by default, on every way', async () => {
      const shop = await openShop(door)
      for (const id of ['order-1', '1', '01M89WJB9G5FX22Y26PRDTRGC7CKB0', 'a.b']) {
        await shop.queue.enqueue(hold, {}, { id })
        expect(await statuses(shop, id)).toEqual([404, 404, 404, 404, 404])
        expect((await shop.queue.get(id))?.state).toBe('queued')
      }
    })

    test('where a hook says who may, a chosen id is open to those, up to 200 characters', async () => {
      const shop = await openShop(door, { authorize: (request) => request.headers.get('x-user') === 'ada' })
      for (const id of ['order-1', 'a:b@c~d_e.f', 'i'.repeat(200)]) {
        await shop.queue.enqueue(hold, {}, { id })
        expect(await statuses(shop, id)).toEqual([404, 404, 404, 404, 404])
        expect(await statuses(shop, id, { 'x-user': 'ada' })).toEqual([200, 200, 409, 200, 200])
      }
    })

    test('a job that the request may not see reads as unknown, in every word', async () => {
      const shop = await openShop(door, { authorize: () => false })
      const { id } = await shop.queue.enqueue(hold, {})
      const unknown = id.replace(/.$/, (last) => (last === '0' ? '1' : '0'))
      for (const [n, [path, method]] of ways(id).entries()) {
        const [forbidden, missing] = [
          await shop.fetch(path, { method }),
          await shop.fetch(ways(unknown)[n]?.[0] ?? '', { method }),
        ]
        expect(forbidden.status).toBe(410)
        expect((await forbidden.text()).replaceAll(id, '')).toBe(
          (await missing.text()).replaceAll(unknown, ''),
        )
      }
      expect((await shop.queue.get(id))?.state).toBe('queued')
    })

    test('the hook is shown the job and the request, and may answer by itself', async () => {
      const shop = await openShop(door, {
        authorize: async (request, job) => {
          if (request.headers.get('authorization') === null)
            throw new Response(null, { status: 401, headers: { 'www-authenticate': 'Bearer' } })
          const { pathname, searchParams } = new URL(request.url)
          return (
            job.task === 'echo' && pathname.startsWith(`/jobs/${job.id}`) && searchParams.get('a') === 'b'
          )
        },
      })
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      const nobody = await shop.fetch(`/jobs/${id}?a=b`)
      expect([nobody.status, nobody.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
      const somebody = { headers: { authorization: 'Bearer x' } }
      expect((await shop.fetch(`/jobs/${id}?a=b`, somebody)).status).toBe(200)
      expect((await shop.fetch(`/jobs/${id}?a=c`, somebody)).status).toBe(410)
    })

    test('a hook may answer with one and the same response each time', async () => {
      const denied = new Response('no', { status: 401, headers: { 'www-authenticate': 'Bearer' } })
      const shop = await openShop(door, {
        accept: { '/hold': { task: hold, batch: 2, options: () => refuse(denied) } },
        authorize: () => refuse(denied),
      })
      const { id } = await shop.queue.enqueue(hold, {})
      for (let n = 0; n < 3; n++) {
        const answer = await shop.fetch(`/jobs/${id}`)
        expect([answer.status, answer.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
        await answer.text()
        const batch = await shop.post('/hold/batch', { items: [{ input: {} }, { input: {} }] })
        expect(await json(batch, 207)).toMatchObject({ items: [{ status: 401 }, { status: 401 }] })
      }
      await problem(await shop.fetch(`/jobs/${id}`), 401)
    })

    test('a hook that fails lets nobody in, and tells nothing', async () => {
      const shop = await openShop(door, {
        authorize: () => {
          throw new Error('secret')
        },
      })
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      const body = await problem(await shop.fetch(`/jobs/${id}`), 500)
      expect(JSON.stringify(body)).not.toContain('secret')
    })

    test('a tenant sees and cancels its own jobs alone', async () => {
      const shop = await openShop(door, {
        accept: { '/hold': hold },
        tenant: (request) => request.headers.get('x-tenant') ?? undefined,
      })
      const { id } = await json<{ id: string }>(await shop.post('/hold', {}, { 'x-tenant': 'a' }), 202)
      expect((await shop.queue.get(id))?.tenant).toBe('a')
      expect(await statuses(shop, id, { 'x-tenant': 'b' })).toEqual([410, 410, 410, 410, 410])
      expect(await statuses(shop, id)).toEqual([410, 410, 410, 410, 410])
      expect(await statuses(shop, id, { 'x-tenant': 'a' })).toEqual([200, 200, 409, 200, 200])
      const nobodys = await json<{ id: string }>(await shop.post('/hold', {}), 202)
      expect((await shop.fetch(`/jobs/${nobodys.id}`, { headers: { 'x-tenant': 'a' } })).status).toBe(410)
    })

    test('a job of no tenant is open to a request of none by an id that cannot be guessed alone', async () => {
      const options = ({ id }: { id?: string }) => (id === undefined ? {} : { id })
      const shop = await openShop(door, {
        accept: { '/hold': { task: hold, options } },
        tenant: (request) => request.headers.get('x-tenant') ?? undefined,
      })
      await shop.post('/hold', { id: 'order-1' })
      expect((await shop.fetch('/jobs/order-1')).status).toBe(404)
      const { id } = await json<{ id: string }>(await shop.post('/hold', {}), 202)
      expect((await shop.fetch(`/jobs/${id}`)).status).toBe(200)
      await shop.post('/hold', { id: 'order-2' }, { 'x-tenant': 'a' })
      expect((await shop.fetch('/jobs/order-2', { headers: { 'x-tenant': 'a' } })).status).toBe(200)
    })

    test('a chosen id that is sent again tells nobody of the job of somebody else', async () => {
      const options = ({ text }: { text: string }) => ({ id: text })
      const accept = { '/echo': { task: echo, batch: 1, options } }
      const user = (name: string, more = {}) => ({ 'x-user': name, ...more })
      const owner = 'ada'
      const userOf = (request: Request) => request.headers.get('x-user') ?? undefined
      for (const who of [
        { tenant: userOf },
        { authorize: (request: Request) => userOf(request) === owner },
      ]) {
        const shop = await openShop(door, { accept, ...who })
        expect((await shop.post('/echo', { text: 'order-1' }, user(owner))).status).toBe(202)
        await shop.run('order-1')
        const again = await shop.post('/echo', { text: 'order-1' }, user(owner, { prefer: 'wait=5' }))
        expect(await json(again)).toMatchObject({ state: 'done', result: { said: 'order-1' } })
        for (const more of [{}, { prefer: 'wait=5' }, { 'idempotency-key': '"new"', prefer: 'wait=5' }]) {
          const other = await shop.post('/echo', { text: 'order-1' }, user('bob', more))
          await problem(other, 409, 'ID_TAKEN')
        }
        const batch = await shop.post('/echo/batch', { items: [{ input: { text: 'order-1' } }] }, user('bob'))
        expect(await json(batch, 207)).toMatchObject({ items: [{ status: 409 }] })
      }
      const shop = await openShop(door, { accept })
      for (let n = 0; n < 2; n++) {
        const answer = await shop.post('/echo', { text: 'order-1' }, { prefer: 'wait=0' })
        expect(await json(answer, 202)).toMatchObject({ state: 'queued' })
        await shop.run('order-1')
      }
    })

    test('an idempotency key of somebody else tells nothing where a hook says who may see', async () => {
      const shop = await openShop(door, {
        accept: { '/echo': echo },
        authorize: (request) => request.headers.get('x-user') === 'ada',
      })
      const post = (user: string): Promise<Response> =>
        shop.post('/echo', { text: 'a' }, { 'x-user': user, 'idempotency-key': '"one"' })
      const { id } = await json<{ id: string }>(await post('ada'), 202)
      expect(await json(await post('ada'), 202)).toMatchObject({ id })
      expect(JSON.stringify(await problem(await post('bob'), 422, 'IDEMPOTENCY_MISMATCH'))).not.toContain(id)
    })

    test('no header, query or body makes a job of another tenant', async () => {
      const shop = await openShop(door, { accept: { '/hold': hold }, tenant: () => 'mine' })
      const answer = await shop.fetch('/hold?tenant=other', {
        method: 'POST',
        headers: { 'content-type': 'application/json', tenant: 'other' },
        body: '{"tenant":"other"}',
      })
      const { id } = await json<{ id: string }>(answer, 202)
      expect((await shop.queue.get(id))?.tenant).toBe('mine')
    })
  })
