import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import type { AxeResults } from 'axe-core'
import type { Worker } from 'offload'
import type { BrowserContextOptions, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { lacksBrowser, look, shows } from './browser.ts'
import type { Shop } from './shop.ts'
import { charge, mail, openShop, provider, report } from './shop.ts'

const axeSource = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

/** Where pictures of each page are put, for somebody to look at. */
const pictures = process.env.OFFLOAD_PICTURES

const looks: readonly { look: string; options: BrowserContextOptions }[] = [
  { look: 'light', options: { colorScheme: 'light' } },
  { look: 'dark', options: { colorScheme: 'dark' } },
  {
    look: 'phone',
    options: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 1 },
  },
]

describe.skipIf(lacksBrowser)('every page', () => {
  let shop: Shop
  let worker: Worker
  const ids: Record<string, string> = {}

  beforeAll(async () => {
    provider.isMended = false
    shop = await openShop()
    const { queue } = shop
    const failing = await Promise.all(
      ['A1', 'B2', 'C3'].map((orderId) =>
        queue.enqueue(charge, { orderId, cents: 4250, items: [{ sku: 'x' }] }),
      ),
    )
    const [letter, built] = [
      await queue.enqueue(mail, { to: 'nobody' }),
      await queue.enqueue(report, { day: 'monday' }),
    ]
    worker = queue.work({ concurrency: 5 })
    for (const handle of [...failing, letter, built]) await handle.result().catch(() => undefined)
    const running = await queue.enqueue(report, { day: 'never' })
    await vi.waitFor(async () => expect((await queue.get(running.id))?.state).toBe('running'), 20_000)
    await queue.enqueue(mail, { to: 'later@example.com' }, { delay: '1h' })
    await queue.pause('mail')
    Object.assign(ids, { dead: failing[0]?.id, content: built.id, running: running.id })
  }, 60_000)

  afterAll(async () => {
    await worker?.stop({ timeout: 1 })
    await shop?.close()
  })

  const pages: readonly { name: string; place: () => string; until: string | RegExp }[] = [
    { name: 'overview', place: () => '', until: 'Newest dead letters' },
    { name: 'queues', place: () => 'queues', until: 'payments' },
    { name: 'jobs', place: () => 'jobs', until: 'report.build' },
    { name: 'jobs-none', place: () => 'jobs?task=none', until: 'No job fits.' },
    { name: 'job-dead', place: () => `jobs/${ids.dead}`, until: 'Failed attempts' },
    { name: 'job-running', place: () => `jobs/${ids.running}`, until: 'Cancel' },
    { name: 'job-content', place: () => `jobs/${ids.content}`, until: 'monday.csv' },
    { name: 'job-unknown', place: () => 'jobs/none', until: 'JOB_NOT_FOUND' },
    { name: 'dead', place: () => 'dead', until: 'HANDLER_FAILED' },
    { name: 'schedules', place: () => 'schedules', until: 'nightly.report' },
    { name: 'workers', place: () => 'workers', until: 'What runs now' },
    { name: 'enqueue', place: () => 'enqueue?task=payment.charge', until: 'As the customer sees it' },
    { name: 'nowhere', place: () => 'nowhere', until: 'There is no view' },
  ]

  describe.each(looks)('in $look', ({ look: name, options }) => {
    test.each(pages)(
      '$name: nobody is shut out, nothing is wider than it, nothing is asked outside',
      async (one) => {
        const { page, faults } = await look(`${shop.board.url}#/${one.place()}`, options)
        await shows(page, one.until)
        // The first figures of the stream, and the charts that they draw.
        if (one.name === 'overview' || one.name === 'queues') await shows(page, 'reports')
        if (pictures !== undefined)
          await page.screenshot({ path: `${pictures}/${one.name}-${name}.png`, fullPage: true })
        expect(await shutOut(page)).toEqual([])
        const width = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
        expect(width).toBeLessThanOrEqual(0)
        expect(faults).toEqual([])
        await page.context().close()
      },
      60_000,
    )
  })

  test('what a job carries is text, whatever it holds', async () => {
    const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>'
    const { id } = await shop.queue.enqueue(mail, { to: evil }, { delay: '1h', key: evil.slice(0, 100) })
    const { page, faults } = await look(`${shop.board.url}#/jobs/${id}`)
    await shows(page, evil)
    expect(await page.locator('main img, main script').count()).toBe(0)
    expect(await page.title()).toBe('Job · Offload')
    expect(faults).toEqual([])
    await page.context().close()
  })
})

/** What axe finds that shuts somebody out. */
async function shutOut(page: Page): Promise<unknown[]> {
  await page.evaluate(axeSource)
  const { violations } = (await page.evaluate('axe.run()')) as AxeResults
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical' || impact === 'moderate')
    .map(({ id, nodes }) => ({
      id,
      nodes: nodes.map(({ html, failureSummary }) => `${html} ${failureSummary}`).slice(0, 3),
    }))
}
