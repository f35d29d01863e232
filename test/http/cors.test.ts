import { describe, expect, test } from 'vitest'
import { everyDoor } from './doors.ts'
import { openShop } from './shop.ts'
import { echo } from './tasks.ts'

const accept = { '/echo': echo }
const page = 'https://app.example.com'
const other = 'https://evil.example.com'

const corsOf = (answer: Response): Record<string, string> =>
  Object.fromEntries([...answer.headers].filter(([name]) => name.startsWith('access-control-')))

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('OPTIONS tells what may be asked; pages of other origins are not let in by default', async () => {
      const shop = await openShop(door, { accept })
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      const allowed = { '/echo': 'POST', [`/jobs/${id}`]: 'GET, HEAD', [`/jobs/${id}/cancel`]: 'POST' }
      for (const [path, allow] of Object.entries(allowed)) {
        const options = await shop.fetch(path, {
          method: 'OPTIONS',
          headers: { origin: page, 'access-control-request-method': 'POST' },
        })
        expect([options.status, options.headers.get('allow'), corsOf(options)]).toEqual([204, allow, {}])
      }
      expect(corsOf(await shop.fetch(`/jobs/${id}`, { headers: { origin: page } }))).toEqual({})
    })

    test('a page that is named may ask, see what it needs and send what it must; another may not', async () => {
      const shop = await openShop(door, { accept, cors: { origins: [page], credentials: true } })
      const preflight = (origin: string): Promise<Response> =>
        shop.fetch('/echo', {
          method: 'OPTIONS',
          headers: {
            origin,
            'access-control-request-method': 'POST',
            'access-control-request-headers': 'content-type,idempotency-key',
          },
        })
      const yes = await preflight(page)
      expect([yes.status, yes.headers.get('vary')]).toEqual([204, 'Origin, Prefer'])
      expect(corsOf(yes)).toEqual({
        'access-control-allow-origin': page,
        'access-control-allow-credentials': 'true',
        'access-control-allow-methods': 'POST',
        'access-control-allow-headers': expect.stringMatching(/Content-Type.*Idempotency-Key.*Prefer/),
        'access-control-expose-headers': expect.stringMatching(/Location.*Retry-After/),
        'access-control-max-age': '600',
      })
      const no = await preflight(other)
      expect([no.headers.get('vary'), corsOf(no)]).toEqual(['Origin, Prefer', {}])
      const answer = await shop.post('/echo', { text: 'a' }, { origin: page })
      expect([answer.status, answer.headers.get('vary')]).toEqual([202, 'Origin, Prefer'])
      expect(corsOf(answer)).toMatchObject({ 'access-control-allow-origin': page })
      expect(corsOf(await shop.post('/echo', { text: 'a' }, { origin: other }))).toEqual({})
    })

    test('every origin may be let in, but then without credentials', async () => {
      const shop = await openShop(door, { accept, cors: { origins: '*', credentials: true } })
      const answer = await shop.post('/echo', { text: 'a' }, { origin: other })
      expect(corsOf(answer)).toMatchObject({ 'access-control-allow-origin': '*' })
      expect(corsOf(answer)).not.toHaveProperty('access-control-allow-credentials')
    })

    test('a page sees why it was refused', async () => {
      const shop = await openShop(door, { accept, bodyBytes: 100, cors: { origins: [page] } })
      const refused = [
        await shop.post('/echo', { text: 7 }, { origin: page }),
        await shop.fetch('/jobs/none', { headers: { origin: page } }),
        await shop.fetch('/jobs/none', { method: 'DELETE', headers: { origin: page } }),
        await shop.post('/echo', { text: 'x'.repeat(200) }, { origin: page }),
      ]
      for (const answer of refused)
        expect(corsOf(answer)).toMatchObject({ 'access-control-allow-origin': page })
    })

    test('an event stream carries the permission too', async () => {
      const shop = await openShop(door, { cors: { origins: [page] } })
      const { id } = await shop.queue.enqueue(echo, { text: 'a' })
      const answer = await shop.fetch(`/jobs/${id}/events`, { headers: { origin: page } })
      expect(corsOf(answer)).toMatchObject({ 'access-control-allow-origin': page })
      await answer.body?.cancel()
    })
  })
