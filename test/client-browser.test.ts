import type { Worker } from 'offload'
import type { OffloadClient, OffloadClientOptions } from 'offload/client'
import type { Browser, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { findChromium, noChromium } from '../scripts/chromium.ts'
import { clientBundle } from './fixtures/client-bundle.ts'
import type { Running, Shop } from './fixtures/client-shop.ts'
import { gate, openShop } from './fixtures/client-shop.ts'

const program = findChromium()
const isRequired = process.env.OFFLOAD_REQUIRE_BACKENDS === 'all'
if (program === undefined) console.warn(`SKIPPED, the client in a browser: ${noChromium}`)

const html = `<!doctype html><title>shop</title><script type="module">
import { offloadClient } from '/client.js'
globalThis.offloadClient = offloadClient
</script>`

/** What the page has of its own. */
declare global {
  var offloadClient: (options: OffloadClientOptions) => OffloadClient<Shop>
  var client: OffloadClient<Shop>
  /** Tells the test of an event, and waits for it. */
  var hear: (type: string) => Promise<void>
  var isSecureContext: boolean
}

describe.skipIf(program === undefined && !isRequired)('in a real browser', () => {
  let browser: Browser
  let shop: Running
  let port: string
  let page: Page
  let heard = async (_type: string): Promise<void> => {}

  beforeAll(async () => {
    const code = await clientBundle()
    // Without TLS a page of a name that is not localhost has less: no crypto.randomUUID().
    shop = await openShop({ cors: { origins: '*' } }, (app) => {
      app.get('/', (_request, reply) => reply.type('text/html').send(html))
      app.get('/client.js', (_request, reply) => reply.type('text/javascript').send(code))
      app.addHook('onRequest', async (request, reply) =>
        request.url.endsWith('/events') && request.headers['x-without'] === 'stream'
          ? reply.code(404).send('not here')
          : undefined,
      )
    })
    port = new URL(shop.url).port
    browser = await chromium.launch({
      ...(program === undefined ? {} : { executablePath: program }),
      args: ['--no-sandbox', '--host-resolver-rules=MAP *.test 127.0.0.1'],
    })
    page = await browser.newPage()
    await page.exposeFunction('hear', (type: string) => heard(type))
  })

  afterAll(async () => {
    await browser?.close()
    await shop?.close()
  })

  /** A page of one origin with a client of another, or of its own. */
  async function open(base: string | undefined, withoutStream = false): Promise<void> {
    await page.goto(`http://shop.test:${port}/`)
    await page.evaluate(
      ({ base, withoutStream }) => {
        const fetchWithout = (url: string, init: RequestInit): Promise<Response> => {
          const headers = new Headers(init.headers)
          headers.set('x-without', 'stream')
          return fetch(url, { ...init, headers })
        }
        globalThis.client = offloadClient({
          ...(base === undefined ? {} : { base }),
          ...(withoutStream ? { fetch: fetchWithout } : {}),
        })
      },
      { base, withoutStream },
    )
  }

  test.each([
    { from: 'its own origin', base: () => undefined },
    { from: 'another origin', base: () => `http://api.test:${port}` },
  ])('a page submits to $from, follows, waits, cancels and gets a picture', async ({ base }) => {
    await open(base())
    expect(await page.evaluate(() => globalThis.isSecureContext)).toBe(false)
    const job = await page.evaluate(() => client.submit('/steps', { count: 1 }))
    let worker: Worker | undefined
    const told: string[] = []
    heard = async (type) => {
      told.push(type)
      worker ??= shop.queue.work()
      if (type === 'started' || type === 'progress') await gate.go()
    }
    await page.evaluate(async (job) => {
      for await (const event of client.follow(job)) await hear(event.type)
    }, job)
    expect(told).toEqual(['state', 'started', 'progress', 'done'])
    expect(await page.evaluate((job) => client.wait(job), job)).toBe(1)
    const picture = await page.evaluate(async () => {
      const blob = await client.wait(await client.submit('/pictures', {}))
      return [blob.type, ...new Uint8Array(await blob.arrayBuffer())]
    })
    expect(picture).toEqual(['image/png', 1, 2, 0, 255])
    await worker?.stop()
    expect(await page.evaluate(async () => client.cancel(await client.submit('/reports', { size: 1 })))).toBe(
      'cancelled',
    )
    const refused = page.evaluate(() =>
      client.submit('/reports', { size: 'x' as never }).then(
        () => undefined,
        ({ name, code, errors }) => ({ name, code, errors }),
      ),
    )
    expect(await refused).toMatchObject({
      name: 'OffloadClientError',
      code: 'INPUT_INVALID',
      errors: [{ path: 'size' }],
    })
  })

  test('a page without a stream looks until the job has ended', async () => {
    await open(undefined, true)
    const answered: number[] = []
    page.on('response', (response) => {
      if (/\/jobs\/[^/]+$/.test(response.url())) answered.push(response.status())
    })
    const job = await page.evaluate(() => client.submit('/reports', { size: 2 }))
    const result = page.evaluate((job) => client.wait(job), job)
    await expect.poll(() => answered, { timeout: 20_000 }).toContain(304)
    const worker = shop.queue.work()
    expect(await result).toEqual({ text: 'xx', size: 2 })
    await worker.stop()
  })
})
