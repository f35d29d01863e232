import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { machine, median, percentile, readable, table } from '../lib/figures.ts'

// `npm run bench -- sse`: thousands of listeners of one process: what each costs, and how soon an event reaches all of them.
const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const LISTENERS = 5000
const EVENTS = 20
const PAUSE_MS = 500
const frameworks = ['bare', 'node:http', 'fastify'] as const
/** They come and leave before the memory is read, so that what grows once has grown. */
const WARMING = 1000

interface Run {
  readonly bytes: number
  readonly heap: number
  readonly lags: number[]
  readonly missed: number
  readonly unended: number
}

const folder = mkdtempSync(join(tmpdir(), 'offload-sse-'))
const runs = new Map<string, Run[]>()
try {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const framework of frameworks) {
      const run = await measure(framework, join(folder, `${framework.replace(':', '')}-${repeat}.db`))
      runs.set(framework, [...(runs.get(framework) ?? []), run])
      console.log(
        framework,
        Math.round(run.bytes),
        Math.round(run.heap),
        percentile(run.lags, 0.99),
        run.missed,
        run.unended,
      )
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
report()

async function measure(framework: string, file: string): Promise<Run> {
  const server = child('server.mjs', { framework, file }, ['--conditions=offload-source', '--expose-gc'])
  const { port, id } = await next<{ port: number; id: string }>(server)
  const warming = child('listeners.mjs', { port, id, count: WARMING })
  await next(warming)
  warming.send({ end: true })
  await sleep(500)
  const before = await memory(server)
  const listeners = child('listeners.mjs', { port, id, count: LISTENERS })
  await next(listeners)
  const after = await memory(server)
  const lags: number[] = []
  for (let n = 0; n < EVENTS; n++) {
    server.send({ report: n })
    await sleep(PAUSE_MS)
    lags.push(...(await allTold(listeners, n)))
  }
  server.send({ report: -1 })
  await sleep(2000)
  const { ended } = await told(listeners, 0)
  listeners.send({ end: true })
  server.send({ end: true })
  return {
    bytes: (after.rss - before.rss) / LISTENERS,
    heap: (after.heap - before.heap) / LISTENERS,
    lags,
    missed: LISTENERS * EVENTS - lags.length,
    unended: LISTENERS - ended,
  }
}

/** An event that has not reached all after five seconds is missed. */
async function allTold(listeners: ChildProcess, n: number): Promise<number[]> {
  for (let tries = 0; ; tries++) {
    const { lags } = await told(listeners, n)
    if (lags.length >= LISTENERS || tries === 50) return lags
    await sleep(100)
  }
}

function child(name: string, options: object, execArgv: string[] = []): ChildProcess {
  return fork(join(import.meta.dirname, name), [JSON.stringify(options)], { execArgv })
}

function next<T>(process: ChildProcess): Promise<T> {
  return new Promise((resolve) => process.once('message', (message) => resolve(message as T)))
}

function memory(server: ChildProcess): Promise<{ rss: number; heap: number }> {
  server.send({ memory: true })
  return next(server)
}

function told(listeners: ChildProcess, n: number): Promise<{ lags: number[]; ended: number }> {
  listeners.send({ tell: n })
  return next(listeners)
}

function report(): void {
  const rows = frameworks.map((framework) => {
    const all = runs.get(framework) ?? []
    const lags = all.map((run) => [0.5, 0.99, 1].map((part) => percentile(run.lags, part)))
    const lagOf = (index: number): number => median(lags.map((each) => each[index] ?? 0))
    return [
      framework === 'bare' ? 'node:http alone, which writes each event to every socket' : framework,
      readable(median(all.map(({ bytes }) => bytes)) / 1024),
      readable(median(all.map(({ heap }) => heap)) / 1024),
      lagOf(0),
      lagOf(1),
      lagOf(2),
      String(all.reduce((sum, { missed }) => sum + missed, 0)),
      String(all.reduce((sum, { unended }) => sum + unended, 0)),
    ]
  })
  const head = [
    'server',
    'RSS kB each',
    'of it heap',
    'p50 ms',
    'p99 ms',
    'max ms',
    'events missed',
    'not told the end',
  ]
  const text = `# ${LISTENERS.toLocaleString('en-US')} listeners of one process

${machine()} Server-Sent Events of one job on SQLite, ${EVENTS} events ${PAUSE_MS} ms apart, from the event in the ledger to the listener's socket, the listeners on the same cores; ${REPEATS} repetitions, medians. Made by \`npm run bench -- sse\`. Goals: at most 20 kB each, at most 250 ms at p99.

${table(head, rows)}
`
  console.log(text)
  writeFileSync(join(import.meta.dirname, '../results/sse.md'), text)
}
