import type { ChildProcess } from 'node:child_process'
import { execFileSync, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Browser } from 'playwright-core'
import { chromium } from 'playwright-core'
import { findChromium, noChromium } from '../../scripts/chromium.ts'
import { startRedis } from '../../scripts/servers/redis.ts'
import { buildPage } from '../../scripts/web.ts'
import { machine, median, readable, table } from '../lib/figures.ts'

// `npm run bench -- dashboard [stores]`: first paint, the API and open pages, on a million jobs in a file and in Redis.
const JOBS = Number(process.env.OFFLOAD_BENCH_JOBS ?? 1_000_000)
const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 5)
const PAGES = 20
const WATCHED_MS = 20_000
const views = [
  { view: 'overview', place: '', shown: 'tbody tr' },
  { view: 'queues', place: 'queues', shown: 'tbody tr' },
  { view: 'jobs', place: 'jobs', shown: 'tbody tr' },
  { view: 'jobs that wait, all older', place: 'jobs?state=queued', shown: 'tbody tr' },
  { view: 'dead letters, 1000 of them grouped', place: 'dead', shown: '.groups li' },
] as const
const questions = [
  'jobs',
  'jobs?state=queued',
  'jobs?state=dead',
  'jobs?queue=reports',
  'jobs?queue=none',
  'jobs?task=report.build',
  'jobs?key=none',
  'jobs?to=1000',
  'jobs?state=dead&text=bank+2',
  'dead',
]

const executablePath = foundChromium()
await buildPage()
const folder = mkdtempSync(join(tmpdir(), 'offload-dashboard-'))
const redis = await startRedis()
const stores: Readonly<Record<string, string>> = {
  SQLite: `sqlite:${join(folder, 'jobs.db')}`,
  ...(redis === undefined ? {} : { Redis: redis.url }),
}
const asked = process.argv.slice(3)
const script = (name: string): string => join(import.meta.dirname, name)
const execArgv = ['--conditions=offload-source']
const sections: string[] = []
try {
  for (const [store, url] of Object.entries(stores))
    if (asked.length === 0 || asked.includes(store)) sections.push(await sectionOf(store, url))
} finally {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
}
report(sections)

function foundChromium(): string {
  const program = findChromium()
  if (program === undefined) throw new Error(noChromium)
  return program
}

async function sectionOf(store: string, url: string): Promise<string> {
  const options = JSON.stringify({ url, jobs: JOBS })
  execFileSync(process.execPath, [...execArgv, script('seed.mjs'), options], { stdio: 'inherit' })
  const server = fork(script('server.mjs'), [options], { execArgv })
  try {
    const [port] = await once(server, 'message')
    const page = `http://127.0.0.1:${port}/offload/`
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] })
    const painted = await paints(browser, page)
    await browser.close()
    return section(store, painted, await answers(page), await watched(server, page))
  } finally {
    if (server.connected) server.disconnect()
  }
}

async function paints(browser: Browser, url: string): Promise<string[][]> {
  const rows: string[][] = []
  for (const { view, place, shown } of views) {
    const [firsts, figures]: [number[], number[]] = [[], []]
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const page = await (await browser.newContext({ viewport: { width: 1280, height: 900 } })).newPage()
      const start = performance.now()
      await page.goto(`${url}#/${place}`)
      await page.locator(shown).first().waitFor()
      figures.push(performance.now() - start)
      firsts.push(await page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime"))
      await page.context().close()
    }
    rows.push([view, ms(firsts), ms(figures)])
    console.log(rows.at(-1)?.join('  '))
  }
  return rows
}

async function answers(url: string): Promise<string[][]> {
  const rows: string[][] = []
  for (const question of questions) {
    const times: number[] = []
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      const start = performance.now()
      await (await fetch(`${url}api/${question}`)).text()
      times.push(performance.now() - start)
    }
    rows.push([`\`${question}\``, ms(times)])
    console.log(rows.at(-1)?.join('  '))
  }
  return rows
}

/** The share of a core that the server takes while so many pages listen. */
async function watched(server: ChildProcess, url: string): Promise<number> {
  const leave = new AbortController()
  for (let page = 0; page < PAGES; page++) void listen(url, leave.signal)
  await wait(3000)
  const [before, start] = [await cpuOf(server), performance.now()]
  await wait(WATCHED_MS)
  const share = ((await cpuOf(server)) - before) / 1000 / (performance.now() - start)
  leave.abort()
  return share
}

async function listen(url: string, signal: AbortSignal): Promise<void> {
  try {
    const { body } = await fetch(`${url}api/live`, { signal })
    for await (const _ of body as ReadableStream<Uint8Array>);
  } catch {
    // It was left.
  }
}

async function cpuOf(server: ChildProcess): Promise<number> {
  server.send('cpu')
  const [used] = await once(server, 'message')
  return used as number
}

function ms(times: readonly number[]): string {
  return readable(median(times))
}

function section(store: string, painted: string[][], answered: string[][], share: number): string {
  return `## ${store}

${table(['view', 'first paint ms', 'its data ms'], painted)}

What the page asks:

${table(['below api/', 'ms'], answered)}

${PAGES} open pages at one update a second: ${(share * 100).toFixed(2)} % of a core in the server.
`
}

function report(all: readonly string[]): void {
  const text = `# The dashboard on ${JOBS.toLocaleString('en-US')} jobs

${machine()} Half of the jobs wait and are older than the other half, which has ended. Medians of ${REPEATS}, each in a browser that has nothing kept.

${all.join('\n')}`
  console.log(text)
  if (JOBS >= 1_000_000 && asked.length === 0)
    writeFileSync(join(import.meta.dirname, '../results/dashboard.md'), text)
}
