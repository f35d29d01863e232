import type { Browser, BrowserContextOptions, Page } from 'playwright-core'
import { chromium } from 'playwright-core'
import { afterAll, expect } from 'vitest'
import { findChromium, noChromium } from '../../scripts/chromium.ts'

const program = findChromium()
const isRequired = process.env.OFFLOAD_REQUIRE_BACKENDS === 'all'
if (program === undefined) console.warn(`SKIPPED, the dashboard in a browser: ${noChromium}`)

/** Whether there is no browser, and there need be none. */
export const lacksBrowser: boolean = program === undefined && !isRequired

let browser: Browser | undefined

/** What a page did that it must not. */
export interface Looked {
  readonly page: Page
  /** Requests to anybody but the server of the page, errors of scripts, and what the policy refused. */
  readonly faults: string[]
}

/** A page at this address in a context of its own, watched. */
export async function look(url: string, options: BrowserContextOptions = {}): Promise<Looked> {
  browser ??= await chromium.launch({
    ...(program === undefined ? {} : { executablePath: program }),
    args: ['--no-sandbox'],
  })
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options })
  const page = await context.newPage()
  const faults: string[] = []
  const { origin } = new URL(url)
  page.on('request', (request) => {
    if (new URL(request.url()).origin !== origin && !request.url().startsWith('data:'))
      faults.push(request.url())
  })
  page.on('pageerror', (error) => faults.push(String(error)))
  page.on('console', (message) => {
    if (message.type() === 'error' && !/status of (?:4|5)\d\d|net::ERR_/.test(message.text()))
      faults.push(message.text())
  })
  await page.goto(url)
  return { page, faults }
}

/** Waits until the page shows the text. */
export async function shows(page: Page, text: string | RegExp): Promise<void> {
  await page.getByText(text).first().waitFor()
}

/** Waits until the page shows it no more. */
export async function hides(page: Page, text: string | RegExp): Promise<void> {
  await expect.poll(() => page.getByText(text).count(), { timeout: 20_000 }).toBe(0)
}

afterAll(async () => {
  await browser?.close()
  browser = undefined
})
