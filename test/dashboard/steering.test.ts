import type { Worker } from 'offload'
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest'
import { openBoard } from './board.ts'
import { hides, lacksBrowser, look, shows } from './browser.ts'
import type { Shop } from './shop.ts'
import { charge, mail, openShop, provider, report } from './shop.ts'

let shop: Shop
let worker: Worker

beforeEach(async () => {
  provider.isMended = false
  const opened = await openShop()
  const working = opened.queue.work()
  onTestFinished(async () => {
    await working.stop({ timeout: 1 })
    await opened.close()
  })
  shop = opened
  worker = working
})

/** Letters that died. */
async function die(...to: string[]): Promise<string[]> {
  const handles = await Promise.all(to.map((each) => shop.queue.enqueue(mail, { to: each })))
  for (const handle of handles) await handle.result().catch(() => undefined)
  return handles.map(({ id }) => id)
}

/** Leaves nothing behind that a page must not do. */
async function at(place: string) {
  const { page, faults } = await look(`${shop.board.url}#/${place}`)
  onTestFinished(async () => {
    expect(faults).toEqual([])
    await page.context().close()
  })
  return page
}

describe.skipIf(lacksBrowser)('a person steers', () => {
  test('a purge waits, can be undone, and is for ever after that', async () => {
    const [id = ''] = await die('nobody', 'nowhere')
    const page = await at('dead')
    await page.getByRole('checkbox').first().check()
    await page.getByRole('button', { name: 'Purge' }).click()
    await shows(page, /Purging 1 dead letter in \d s\./)
    await page.getByRole('button', { name: 'Undo' }).click()
    await shows(page, 'Nothing was purged.')
    expect(await shop.queue.get(id)).toMatchObject({ state: 'dead' })

    await page.getByRole('checkbox').last().check()
    await shows(page, '2 dead letters chosen')
    await page.getByRole('button', { name: 'Purge' }).click()
    await shows(page, 'Purged 2 dead letters.')
    await shows(page, 'No dead letters.')
    expect(await shop.queue.get(id)).toBeUndefined()
  })

  test('a queue is paused and goes on', async () => {
    await die('nobody')
    const page = await at('queues')
    await page.getByRole('button', { name: 'Pause queue mail' }).click()
    await shows(page, 'Queue mail is paused')
    await page.getByRole('button', { name: 'Resume queue mail' }).waitFor()
    expect(await shop.queue.depth('mail')).toMatchObject({ paused: true })
    await page.getByRole('button', { name: 'Resume queue mail' }).click()
    await page.getByRole('button', { name: 'Pause queue mail' }).waitFor()
    expect(await shop.queue.depth('mail')).toMatchObject({ paused: false })
  })

  test('a running job is cancelled, and its page tells of it as it happens', async () => {
    const { id } = await shop.queue.enqueue(report, { day: 'never' })
    await vi.waitFor(async () => expect((await shop.queue.get(id))?.state).toBe('running'), 10_000)
    const page = await at(`jobs/${id}`)
    await page.locator('.state.running').waitFor()
    await page.getByRole('button', { name: 'Cancel' }).click()
    await page.locator('.state.cancelled').waitFor()
    await page.locator('.events', { hasText: 'cancelled' }).waitFor()
    await page.getByRole('button', { name: 'Cancel' }).waitFor({ state: 'detached' })
  })

  test('one dead letter is retried from its page', async () => {
    const { id, result } = await shop.queue.enqueue(charge, { orderId: 'A1', cents: 1 })
    await shop.queue.result(id).catch(() => undefined)
    expect(result).toBeDefined()
    const page = await at(`jobs/${id}`)
    provider.isMended = true
    await page.getByRole('button', { name: 'Retry' }).click()
    await page.locator('.state.done').waitFor()
  })

  test('a job is queued by a form made of the schema; what does not fit is told at its field', async () => {
    provider.isMended = true
    const page = await at('enqueue?task=payment.charge')
    await page.getByLabel('orderId').fill('A1')
    await page.getByLabel('cents').fill('much')
    await page.getByRole('button', { name: 'Enqueue' }).click()
    await page.getByRole('alert').waitFor()
    expect(await page.getByLabel('cents').getAttribute('aria-invalid')).toBe('true')
    await page.getByLabel('cents').fill('4250')
    await page.getByLabel('method').selectOption('invoice')
    await page.getByLabel('gift').selectOption('true')
    await page.getByLabel('items').fill('[{"sku":"shirt"}]')
    await page.getByText('Priority, key, delay').click()
    await page.getByLabel('Priority (0 to 9)').fill('8')
    await page.getByRole('button', { name: 'Enqueue' }).click()
    await page.getByRole('button', { name: 'Look' }).click()
    await page.locator('.state.done').waitFor()
    const id = page.url().split('/').at(-1) ?? ''
    expect(await shop.queue.get(id)).toMatchObject({
      priority: 8,
      key: 'A1',
      payload: { orderId: 'A1', cents: 4250, method: 'invoice', gift: true, items: [{ sku: 'shirt' }] },
    })
  })

  test('an input is written as JSON, and what is none is told before it is sent', async () => {
    const page = await at('enqueue?task=mail.receipt')
    await page.getByLabel('Write the input as JSON').check()
    await page.getByLabel('Input, as JSON').fill('{"to":')
    await page.getByRole('button', { name: 'Enqueue' }).click()
    await shows(page, /This is no JSON/)
    await page.getByLabel('Input, as JSON').fill('{"to":"ann@example.com"}')
    await page.getByRole('button', { name: 'Enqueue' }).click()
    await shows(page, 'It is queued.')
  })

  test('a schedule is run now, paused and resumed', async () => {
    const page = await at('schedules')
    await page.getByRole('button', { name: 'Run now: nightly.report' }).click()
    await shows(page, 'A job of nightly.report is queued.')
    await page.getByRole('link', { name: 'look' }).click()
    await page.locator('.state.done').waitFor()
    await page.goBack()
    await page.getByRole('button', { name: 'Pause nightly.report' }).click()
    await page.getByRole('button', { name: 'Resume nightly.report' }).waitFor()
    expect(await shop.queue.schedules.get('nightly.report')).toMatchObject({ paused: true })
    await page.getByRole('button', { name: 'Resume nightly.report' }).click()
    await page.getByRole('button', { name: 'Pause nightly.report' }).waitFor()
  })

  test('jobs are searched for, page by page, at an address that can be sent to others', async () => {
    await die(...Array.from({ length: 60 }, (_, nth) => `nobody${nth}`))
    const page = await at('jobs')
    await page.getByLabel('State').selectOption('dead')
    await page.getByLabel('Error has').fill('nobody59 is no address')
    await page.getByRole('button', { name: 'Search' }).click()
    await shows(page, /60 jobs looked through, and there are no more/)
    expect(await page.locator('tbody tr').count()).toBe(1)
    await page.reload()
    await shows(page, /60 jobs looked through/)
    await page.getByRole('button', { name: 'Clear' }).click()
    await page.getByRole('button', { name: 'Older jobs' }).click()
    await expect.poll(() => page.locator('tbody tr').count()).toBe(60)
  })

  test('all of it can be done without a mouse', async () => {
    await die('nobody')
    const page = await at('')
    await shows(page, 'nobody is no address')
    await page.keyboard.press('Tab')
    expect(await focused(page)).toBe('Skip to content')
    for (let nth = 0; nth < 10 && (await focused(page)) !== 'Dead letters'; nth++)
      await page.keyboard.press('Tab')
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).not.toBe('none')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Dead letters', level: 1 }).waitFor()
    // Who reads by ear goes on in what was led to, not in the menu.
    expect(await page.evaluate('document.activeElement.tagName')).toBe('MAIN')
    await page.getByRole('checkbox').waitFor()
    await page.keyboard.press('Tab')
    await page.keyboard.press('Space')
    await shows(page, '1 dead letter chosen')
  })

  test('colours follow the system until somebody chooses, and the choice is kept', async () => {
    const page = await at('')
    const back = (): Promise<unknown> =>
      page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    const light = await back()
    await page.getByLabel('Colours').selectOption('dark')
    expect(await back()).not.toBe(light)
    const dark = await back()
    await page.reload()
    await page.getByLabel('Colours').waitFor()
    expect(await back()).toBe(dark)
  })

  test('a server that goes away is told, and so is its coming back', async () => {
    const page = await at('queues')
    await die('nobody')
    await shows(page, 'mail')
    const { port } = new URL(shop.board.url)
    await shop.board.close()
    await shows(page, 'The server of this page does not answer')
    const again = await openBoard(shop.queue, {}, Number(port))
    onTestFinished(() => again.close())
    await hides(page, 'The server of this page does not answer')
  })

  test('a session that ends is told, and the page goes on when there is one again', async () => {
    let isIn = true
    const board = await openBoard(shop.queue, { authorize: () => isIn })
    onTestFinished(() => board.close())
    const { page } = await look(`${board.url}#/jobs`)
    await page.getByRole('button', { name: 'Refresh' }).waitFor()
    isIn = false
    await page.getByRole('button', { name: 'Refresh' }).click()
    await shows(page, /this request may not do this here.*FORBIDDEN/)
    await page.goto(`${board.url}#/queues`)
    await shows(page, 'The server of this page does not answer')
    isIn = true
    await hides(page, 'The server of this page does not answer')
    await page.context().close()
  })

  test('read-only, and for who may only look, there is no button that does anything', async () => {
    const [id] = await die('nobody')
    for (const options of [
      { readOnly: true },
      { authorize: (_: Request, action: string) => action === 'view' },
    ]) {
      const board = await openBoard(shop.queue, options)
      onTestFinished(() => board.close())
      const { page } = await look(board.url)
      for (const [place, until] of [
        ['queues', 'mail'],
        ['dead', 'DISCARDED'],
        [`jobs/${id}`, 'nobody is no address'],
        ['schedules', 'nightly.report'],
        ['enqueue', 'You may not queue jobs from here.'],
      ] as const) {
        await page.goto(`${board.url}#/${place}`)
        await shows(page, until)
        const steering = page.getByRole('button', {
          name: /Pause|Resume|Redrive|Purge|Retry|Cancel|Run now|Enqueue/,
        })
        expect(await steering.count()).toBe(0)
      }
      await page.context().close()
    }
    expect(worker.health()).toBeDefined()
  })
})

const focused = (page: Awaited<ReturnType<typeof at>>): Promise<unknown> =>
  page.evaluate('document.activeElement.textContent')
