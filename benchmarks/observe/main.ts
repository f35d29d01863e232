import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../scripts/servers/redis.ts'
import { machine, median, readable, table } from '../lib/figures.ts'
import { clear } from '../lib/redis.ts'
import { answerOf, jobsOf } from '../lib/runner.ts'

// `npm run bench -- observe`: what being watched costs a job that is accepted and run in one process.
const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 7)
const ways = [
  'nothing',
  'logs',
  'metrics',
  'traces, no SDK',
  'traces, 1 of 100',
  'all',
  'traces, each',
  'OpenTelemetry metrics',
] as const

interface Figure {
  readonly rate: number
  /** CPU of the process a job, in microseconds. */
  readonly own: number
}

const redis = await startRedis()
const stores: Record<string, { url: string; port?: number; jobs: number }> = {
  SQLite: { url: 'sqlite:{path}', jobs: 60_000 },
  ...(redis === undefined
    ? {}
    : { Redis: { url: 'redis://127.0.0.1:{port}/0?prefix={name}', port: redis.port, jobs: 40_000 } }),
}
const asked = process.argv.slice(3)
const folder = mkdtempSync(join(tmpdir(), 'offload-observe-'))
const figures = new Map<string, Figure[]>()
try {
  for (const [store, { url, port, jobs }] of Object.entries(stores)) {
    if (asked.length > 0 && !asked.includes(store)) continue
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const way of repeat % 2 === 0 ? ways : ways.toReversed()) {
        if (port !== undefined) await clear(port)
        const own = mkdtempSync(join(folder, 'run-'))
        const file = join(import.meta.dirname, 'measure.mjs')
        const figure = await answerOf<Figure>(
          file,
          { url, port, way, jobs: jobsOf(jobs), folder: own },
          `${store} ${way}`,
        )
        rmSync(own, { recursive: true, force: true })
        figures.set(`${store} ${way}`, [...(figures.get(`${store} ${way}`) ?? []), figure])
        console.log(store, way, Math.round(figure.rate), figure.own.toFixed(1))
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
}

const rows = Object.keys(stores).flatMap((store) => ways.flatMap((way) => rowOf(store, way) ?? []))

function rowOf(store: string, way: string): (string | number)[][] | undefined {
  const own = figures.get(`${store} ${way}`)
  const without = figures.get(`${store} nothing`)
  if (own === undefined || without === undefined) return undefined
  const of = (all: readonly Figure[], name: keyof Figure): number => median(all.map((one) => one[name]))
  const beside = own.map((one, nth) => one.own / (without[nth]?.own ?? Number.NaN))
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  return [
    [
      store,
      way,
      of(own, 'rate'),
      percent(of(own, 'rate') / of(without, 'rate')),
      readable(of(own, 'own')),
      percent(median(beside)),
    ],
  ]
}

const text = `# What being watched costs

${machine()} A job is accepted and run in one process, 100 in flight, its handler does nothing: the worst case. ${REPEATS} repetitions in alternation, each in a fresh
process after a warm-up; medians. Logs: pino at \`info\` to nowhere, a line for each job, 100 a second at most. Metrics: scraped once a second. Traces: a real SDK with
a batch processor and an exporter that does nothing, \`across: 'parent'\`; of all traces one in a hundred is taken, or each. All: logs, metrics and one trace in a
hundred. CPU is that of the process; its change is the median over the repetitions, each beside its own run without. Made by \`npm run bench -- observe\`.

${table(['store', 'watched by', 'jobs/s', 'change', 'CPU µs a job', 'change of CPU'], rows)}
`
console.log(text)
if (asked.length === 0 && process.env.OFFLOAD_BENCH_SCALE === undefined)
  writeFileSync(join(import.meta.dirname, '../results/observe.md'), text)
