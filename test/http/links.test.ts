import { accepted, acceptedFor } from 'offload/http'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { LinkMaker } from '../../src/http/links.ts'
import { everyDoor } from './doors.ts'
import { json, openShop, problem } from './shop.ts'
import { hold } from './tasks.ts'

const links = { secrets: ['s'.repeat(16)] }
const accept = { '/hold': hold }

interface Accepted {
  readonly id: string
  readonly links: { readonly self: string; readonly events: string; readonly cancel: string }
}

/** Time goes on at once. */
function later(ms: number): void {
  vi.setSystemTime(Date.now() + ms)
}

function ownTime(): void {
  vi.useFakeTimers({ toFake: ['Date'] })
  onTestFinished(() => void vi.useRealTimers())
}

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('signed links lead to a job and its events, and nothing else does', async () => {
      const shop = await openShop(door, { accept, links })
      const answer = await shop.post('/hold', {})
      const job = await json<Accepted>(answer, 202)
      expect(answer.headers.get('location')).toBe(job.links.self)
      expect(await json(await shop.fetch(job.links.self))).toMatchObject({ id: job.id })
      const events = await shop.fetch(job.links.events)
      expect(events.status).toBe(200)
      await events.body?.cancel()
      for (const path of [`/jobs/${job.id}`, `/jobs/${job.id}/events`, `/jobs/${job.id}/result`])
        await problem(await shop.fetch(path), 403, 'LINK_INVALID')
      expect((await shop.fetch(job.links.cancel, { method: 'POST' })).status).toBe(200)
    })

    test('a link opens a job with a chosen id as well', async () => {
      const shop = await openShop(door, {
        accept: { '/hold': { task: hold, options: () => ({ id: 'order-1' }) } },
        links,
      })
      const job = await json<Accepted>(await shop.post('/hold', {}), 202)
      expect(job.id).toBe('order-1')
      expect((await shop.fetch(job.links.self)).status).toBe(200)
      expect((await shop.fetch('/jobs/order-1')).status).toBe(403)
    })

    test('a link that was changed is refused: another job, another purpose, another time, another signature', async () => {
      const shop = await openShop(door, { accept, links })
      const [one, two] = [
        await json<Accepted>(await shop.post('/hold', {}), 202),
        await json<Accepted>(await shop.post('/hold', {}), 202),
      ]
      const read = new URL(one.links.self, 'http://shop')
      const query = (change: (query: URLSearchParams) => void): string => {
        const changed = new URLSearchParams(read.search)
        change(changed)
        return `${read.pathname}?${changed}`
      }
      const paths = [
        `/jobs/${two.id}${read.search}`,
        query((changed) => changed.set('expires', String(Number(changed.get('expires')) + 1))),
        query((changed) => changed.set('expires', `${changed.get('expires')}.0`)),
        query((changed) => changed.set('signature', `${changed.get('signature')}A`)),
        query((changed) => changed.set('signature', '')),
        query((changed) => changed.delete('signature')),
        query((changed) => changed.delete('expires')),
        one.links.cancel.replace('/cancel', ''),
      ]
      for (const path of paths) await problem(await shop.fetch(path), 403, 'LINK_INVALID')
      await problem(
        await shop.fetch(`/jobs/${one.id}/cancel${read.search}`, { method: 'POST' }),
        403,
        'LINK_INVALID',
      )
      expect((await shop.queue.get(one.id))?.state).toBe('queued')
    })

    test('a link expires, leads to none that is good for longer, and to none that cancels', async () => {
      ownTime()
      const shop = await openShop(door, { accept, links: { ...links, ttl: '1h' } })
      const job = await json<Accepted>(await shop.post('/hold', {}), 202)
      later(3_599_000)
      const read = await json<Accepted>(await shop.fetch(job.links.self))
      expect(read.links).toEqual({ self: job.links.self, events: job.links.events })
      const stream = await shop.fetch(read.links.events)
      const { value } = (await stream.body?.getReader().read()) ?? {}
      expect(new TextDecoder().decode(value)).not.toContain('/cancel')
      later(3_600_000 / 10 + 1000)
      for (const path of Object.values(read.links)) await problem(await shop.fetch(path), 403, 'LINK_INVALID')
    })

    test('a client that asks again within the tenth of the time of a link gets 304', async () => {
      ownTime()
      vi.setSystemTime(Math.ceil(Date.now() / 360_000) * 360_000)
      const authorize = (): boolean => true
      const shop = await openShop(door, { accept, authorize, links: { ...links, ttl: '1h' } })
      const { id } = await json<Accepted>(await shop.post('/hold', {}), 202)
      later(1000)
      const etag = (await shop.fetch(`/jobs/${id}`)).headers.get('etag') ?? ''
      later(300_000)
      expect((await shop.fetch(`/jobs/${id}`, { headers: { 'if-none-match': etag } })).status).toBe(304)
      later(60_000)
      expect((await shop.fetch(`/jobs/${id}`, { headers: { 'if-none-match': etag } })).status).toBe(200)
    })

    test('secrets are rotated: the first signs, every one is accepted, one that is gone is not', async () => {
      const [old, young] = ['o'.repeat(16), 'y'.repeat(16)]
      const shop = await openShop(door, { accept, links: { secrets: [young, old] } })
      const { id } = await shop.queue.enqueue(hold, {})
      const linkBy = (secret: string): string => new LinkMaker('/jobs', { secrets: [secret] }).of(id).self
      expect((await shop.fetch(linkBy(old))).status).toBe(200)
      const read = await json<Accepted>(await shop.fetch(linkBy(young)))
      expect(read.links.self).toBe(linkBy(young))
      await problem(await shop.fetch(linkBy('g'.repeat(16))), 403, 'LINK_INVALID')
    })

    test('who is let in by a hook needs no link, and gets signed ones', async () => {
      const shop = await openShop(door, { authorize: () => true, links })
      const { id } = await shop.queue.enqueue(hold, {})
      const read = await json<Accepted>(await shop.fetch(`/jobs/${id}`))
      expect(read.links.self).toMatch(/\?expires=\d+&signature=[\w-]{43}$/)
      await problem(await shop.fetch(`/jobs/${id}?signature=x`), 403, 'LINK_INVALID')
    })
  })

test('a route of one’s own answers with the same links as the job routes', async () => {
  const shop = await openShop('web', { links })
  const job = await shop.queue.enqueue(hold, {})
  const options = { links, origin: 'https://api.example.com' }
  const request = new Request('http://shop/own', { headers: { prefer: 'wait=0' } })
  for (const answer of [accepted(job, options), await acceptedFor(request, job, shop.queue, options)]) {
    const { self } = (await json<Accepted>(answer, 202)).links
    expect(answer.headers.get('operation-location')).toBe(`https://api.example.com${self}`)
    expect((await shop.fetch(self)).status).toBe(200)
  }
})

test('secrets that could be guessed are refused at start', () => {
  for (const secrets of [[], ['short'], ['s'.repeat(16), ''], [undefined as never]])
    expect(() => new LinkMaker('/jobs', { secrets })).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID' }),
    )
})
