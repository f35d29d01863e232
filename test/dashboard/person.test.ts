import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { startRabbit } from '../../scripts/servers/rabbitmq.ts'
import { startRedis } from '../../scripts/servers/redis.ts'
import { needs } from '../servers.ts'
import { lacksBrowser, look, shows } from './browser.ts'
import { charge, openShop, provider } from './shop.ts'

const redis = await needs('redis', startRedis)
const rabbit = await needs('rabbitmq', startRabbit)

const stores = [
  { store: 'SQLite', isMissing: false, place: {} },
  { store: 'Redis', isMissing: redis === undefined, place: { url: `${redis?.url}/0?prefix=board` } },
  {
    store: 'RabbitMQ',
    isMissing: rabbit === undefined,
    place: { url: `${rabbit?.url}?prefix=board`, ledger: 'memory:' },
  },
]

beforeEach(() => {
  provider.isMended = false
})

for (const { store, isMissing, place } of stores)
  describe.skipIf(isMissing || lacksBrowser)(`on ${store}`, () => {
    test('a person finds a failed payment, reads why, mends the cause, redrives it and watches it finish', async () => {
      const shop = await openShop(place)
      onTestFinished(() => shop.close())
      const handles = await Promise.all(
        ['A1', 'B2', 'C3'].map((orderId) => shop.queue.enqueue(charge, { orderId, cents: 4250 })),
      )
      shop.queue.work()
      await Promise.all(handles.map((handle) => handle.result().catch(() => undefined)))

      const { page, faults } = await look(shop.board.url)
      const tile = page.locator('.tile', { hasText: 'Dead letters' })
      await expect.poll(() => tile.locator('dd').textContent()).toBe('3')
      await tile.getByRole('link').click()
      const group = page.getByRole('checkbox', { name: /payment\.charge.*the API key has expired/ })
      await group.waitFor()
      await page.getByRole('link', { name: 'look at the newest' }).click()

      await shows(page, /payment of order [ABC]\d refused: the API key has expired/)
      await shows(page, 'Attempt 2')
      await shows(page, /at .*shop\.ts/)
      await shows(page, 'asking the provider for 4250 cents')
      const id = decodeURIComponent(page.url().split('/').at(-1) ?? '')
      expect(handles.map((handle) => handle.id)).toContain(id)

      provider.isMended = true
      await page.goBack()
      await group.check()
      await shows(page, '3 dead letters chosen')
      await page.getByRole('button', { name: 'Redrive' }).click()
      await shows(page, 'Redrove 3 dead letters.')
      await shows(page, 'No dead letters.')

      await page.goto(`${shop.board.url}#/jobs/${id}`)
      await page.locator('.state.done').waitFor()
      await page.getByRole('heading', { name: 'Result' }).waitFor()
      await shows(page, 'paid:')
      for (const handle of handles) expect(await handle.result()).toEqual({ paid: true, cents: 4250 })
      expect(faults).toEqual([])
    }, 90_000)
  })
