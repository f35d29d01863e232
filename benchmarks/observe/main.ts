import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../scripts/servers/redis.ts'
import { machine, median, percentile, readable, table } from '../lib/figures.ts'
import { clear } from '../lib/redis.ts'
import { answerOf } from '../lib/runner.ts'

// `npm run bench -- observe [stores and ways]`: what being watched costs a job that is accepted and run in one process.
const PROCESSES = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const TURNS = Number(process.env.OFFLOAD_BENCH_TURNS ?? 12)
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

/** The CPU of the process a job, in microseconds, one a turn. */
interface Figures {
  readonly plain: readonly number[]
  readonly watched: readonly number[]
}

interface Store {
  readonly url: string
  readonly port?: number
}

const redis = await startRedis()
const stores: Record<string, Store> = {
  SQLite: { url: 'sqlite:{path}' },
  ...(redis === undefined
    ? {}
    : { Redis: { url: 'redis://127.0.0.1:{port}/0?prefix={name}', port: redis.port } }),
}
const asked = process.argv.slice(3)
const isAsked = (name: string, all: readonly string[]): boolean =>
  asked.includes(name) || !all.some((one) => asked.includes(one))
const folder = mkdtempSync(join(tmpdir(), 'offload-observe-'))
const rows: (string | number)[][] = []
const calls: (string | number)[][] = []
try {
  for (const [store, { url, port }] of Object.entries(stores)) {
    if (!isAsked(store, Object.keys(stores))) continue
    for (const way of ways.filter((one) => isAsked(one, ways))) {
      const runs: Figures[] = []
      for (let nth = 0; nth < PROCESSES; nth++) {
        if (port !== undefined) await clear(port)
        const own = mkdtempSync(join(folder, 'run-'))
        const given = { url, port, way, jobs: 10_000, turns: TURNS, folder: own }
        runs.push(await answerOf<Figures>(join(import.meta.dirname, 'measure.mjs'), given, `${store} ${way}`))
        rmSync(own, { recursive: true, force: true })
      }
      rows.push(rowOf(store, way, runs))
      console.log(rows.at(-1)?.join('  '))
    }
  }
  for (const way of ways.filter((one) => isAsked(one, ways))) {
    if (way === 'nothing') continue
    const runs: number[] = []
    for (let nth = 0; nth < PROCESSES; nth++)
      runs.push(await answerOf<number>(join(import.meta.dirname, 'calls.mjs'), { way }, `calls ${way}`))
    calls.push([way, median(runs)])
    console.log(calls.at(-1)?.join('  '))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
}

function rowOf(store: string, way: string, runs: readonly Figures[]): (string | number)[] {
  const all = (name: keyof Figures): number[] => runs.flatMap((run) => run[name])
  const pairs = runs.flatMap(({ plain, watched }) =>
    watched.map((one, nth) => one / (plain[nth] ?? Number.NaN)),
  )
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  const quartiles = `${percent(percentile(pairs, 0.25))} to ${percent(percentile(pairs, 0.75))}`
  const low = (name: keyof Figures): number => percentile(all(name), 0.1)
  return [
    store,
    way,
    readable(median(all('plain'))),
    readable(median(all('watched'))),
    percent(median(pairs)),
    quartiles,
    percent(low('watched') / low('plain')),
  ]
}

const text = `# What being watched costs

${machine()} Jobs are accepted and run in one process, 100 in flight, their handlers do nothing: the worst case. Each way of watching is measured in ${PROCESSES} processes, in each of which
${TURNS} turns of 10,000 jobs are watched and as many are not, in alternation, after a warm-up; what is compared is the CPU of the process for a job. The change is the median over the pairs of turns, with its quartiles, and that of
the quickest tenth, which other work on the machine disturbs least. Logs: pino at \`info\` to nowhere, a line for each job, 100 a second at most. Metrics: scraped once a second. Traces: a real SDK with
a batch processor and an exporter that does nothing, which traces each job, or with \`sample: 0.01\` one in a hundred. All: logs, metrics and one trace in a hundred. Made by \`npm run bench -- observe\`.

Of \`nothing\`, which is measured like the others, each change is noise: where its quartiles are far apart, other work was on the machine, and only the calls alone say something.

${table(['store', 'watched by', 'CPU µs a job without', 'with', 'change', 'quartiles', 'of the quickest'], rows)}

## The calls alone

What an observer is told of one job (sent, answered, run and ended), in turns of 2,000 jobs without a store, of which the quickest counts: what other work on the machine does not touch.
A job on SQLite takes 13 µs in all on a machine that does nothing else ([f](sqlite.md)).

${table(['watched by', 'ns a job'], calls)}
`
console.log(text)
if (asked.length === 0) writeFileSync(join(import.meta.dirname, '../results/observe.md'), text)
