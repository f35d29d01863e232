import { describe, expect, test } from 'vitest'
import { preferences } from '../../src/http/prefer.ts'
import { everyDoor } from './doors.ts'
import { json, openShop } from './shop.ts'
import { echo, file, hold, release } from './tasks.ts'

const accept = { '/echo': echo, '/hold': hold, '/file': file }

for (const door of everyDoor)
  describe(`behind ${door}`, () => {
    test('respond-async is answered at once, and said to be applied', async () => {
      const shop = await openShop(door, { accept })
      const answer = await shop.post('/hold', {}, { prefer: 'respond-async' })
      expect(answer.status).toBe(202)
      expect(answer.headers.get('preference-applied')).toBe('respond-async')
      expect(answer.headers.get('vary')).toContain('Prefer')
    })

    test('wait holds the answer until the job has ended: 200 with its result', async () => {
      const shop = await openShop(door, { accept })
      shop.queue.work()
      const answer = await shop.post('/echo', { text: 'hi' }, { prefer: 'wait=30' })
      const body = await json(answer)
      expect(body).toMatchObject({ state: 'done', result: { said: 'hi' } })
      expect(answer.headers.get('content-location')).toBe(`/jobs/${body.id}`)
      expect(answer.headers.get('preference-applied')).toBe('wait=30')
      expect(answer.headers.get('vary')).toContain('Prefer')
      expect(answer.headers.has('location')).toBe(false)
    })

    test('a job that ends badly within the wait is told as it is, with 200', async () => {
      const shop = await openShop(door, { accept })
      shop.queue.work()
      const body = await json(await shop.post('/echo', { text: 'bad' }, { prefer: 'wait=30' }))
      expect(body).toMatchObject({ state: 'dead', error: { code: 'DISCARDED' } })
    })

    test('a job that takes longer than the wait is answered with 202, and goes on', async () => {
      const shop = await openShop(door, { accept })
      shop.queue.work()
      const answer = await shop.post('/hold', {}, { prefer: 'respond-async, wait=0' })
      expect(answer.headers.get('preference-applied')).toBe('respond-async, wait=0')
      const { id } = await json<{ id: string }>(answer, 202)
      await expect.poll(async () => (await shop.queue.get(id))?.state).toBe('running')
      release()
      expect(await shop.queue.result(id)).toBe('released')
    })

    test('no client waits longer than the server lets it, and it is told how long it was', async () => {
      const shop = await openShop(door, { accept, maxWait: '1s' })
      const answer = await shop.post('/hold', {}, { prefer: 'wait=100000' })
      expect([answer.status, answer.headers.get('preference-applied')]).toEqual([202, 'wait=1'])
    })

    test('a closing server lets go who waits: 202', async () => {
      const shop = await openShop(door, { accept })
      const answer = shop.post('/hold', {}, { prefer: 'wait=60' })
      await expect.poll(async () => (await shop.queue.find()).jobs.length).toBe(1)
      const closed = shop.close()
      expect((await answer).status).toBe(202)
      await closed
    })

    test('other preferences are ignored', async () => {
      const shop = await openShop(door, { accept })
      const answer = await shop.post(
        '/echo',
        { text: 'hi' },
        { prefer: 'return=minimal, handling=strict; x, wait' },
      )
      expect([answer.status, answer.headers.get('preference-applied')]).toEqual([202, null])
    })

    test('a client that leaves while it waits leaves the job alone', async () => {
      const shop = await openShop(door, { accept })
      shop.queue.work()
      const leave = new AbortController()
      const answer = shop.fetch('/hold', {
        method: 'POST',
        headers: { 'content-type': 'application/json', prefer: 'wait=60' },
        body: '{}',
        signal: leave.signal,
      })
      const states = async (): Promise<string[]> => (await shop.queue.find()).jobs.map(({ state }) => state)
      await expect.poll(states).toEqual(['running'])
      leave.abort()
      if (door === 'web') expect((await answer).status).toBe(202)
      else await expect(answer).rejects.toThrow()
      expect(await states()).toEqual(['running'])
      release()
      await expect.poll(states).toEqual(['done'])
    })
  })

test('Prefer is read as RFC 7240 writes it', () => {
  const waits: Record<string, number | undefined> = {
    'wait=5': 5000,
    'Wait = "5"': 5000,
    'foo=bar; wait=3, wait=5': 5000,
    'wait=5; late=yes': 5000,
    'wait=5, wait=9': 5000,
    'wait=abc, wait=5': undefined,
    'foo="a, wait=5"': undefined,
    'foo="a\\", wait=5", wait=7': 7000,
    'wait=': undefined,
    'wait=-1': undefined,
    'wait=1.5': undefined,
    'wait=9999999999': undefined,
    'wait=999999999': 60_000,
    ',,wait=2,': 2000,
    '': undefined,
  }
  for (const [header, waitMs] of Object.entries(waits))
    expect([header, preferences(header, 60_000).waitMs]).toEqual([header, waitMs])
  for (const header of ['respond-async', 'Respond-Async', 'respond-async=""', 'a=b, respond-async; c=d'])
    expect(preferences(header, 0).respondAsync).toBe(true)
  for (const header of ['respond-async=no', 'respond-asynchronously', '"respond-async"', undefined])
    expect(preferences(header, 0).respondAsync).toBe(false)
})
