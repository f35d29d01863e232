import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startRedis } from '../../scripts/servers/redis.ts'
import { machine, median, percentile, table } from '../lib/figures.ts'
import { clear } from '../lib/redis.ts'
import { answerOf, Partner } from '../lib/runner.ts'

// `npm run bench -- observe [stores and ways]`: what being watched costs a job that is accepted and run in one process.
const PROCESSES = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const TURNS = Number(process.env.OFFLOAD_BENCH_TURNS ?? 12)
const JOBS = 10_000
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

/** What a job took in one turn. */
interface Figure {
  /** CPU of the process, in microseconds. */
  readonly cpu: number
  /** Jobs a second. */
  readonly rate: number
}

/** One process that is watched beside one that is not. */
interface Pair {
  readonly plain: Figure
  readonly watched: Figure
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
      const pairs: Pair[] = []
      for (let nth = 0; nth < PROCESSES; nth++) {
        if (port !== undefined) await clear(port)
        pairs.push(...(await turnsOf({ url, port, jobs: JOBS }, way)))
      }
      rows.push(rowOf(store, way, pairs))
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

/** Two processes in alternation, of which one is watched; neither ever runs the code of the other. */
async function turnsOf(given: object, way: string): Promise<Pair[]> {
  const own = mkdtempSync(join(folder, 'run-'))
  const start = (name: string): Promise<Partner> =>
    Partner.start(join(import.meta.dirname, 'measure.mjs'), {
      ...given,
      way: name,
      folder: mkdtempSync(join(own, 'one-')),
    })
  const plain = await start('nothing')
  const watched = await start(way)
  try {
    const pairs: Pair[] = []
    for (let nth = 0; nth < TURNS; nth++) {
      const first = nth % 2 === 0 ? await plain.ask<Figure>() : undefined
      const second = await watched.ask<Figure>()
      pairs.push({ plain: first ?? (await plain.ask<Figure>()), watched: second })
    }
    return pairs
  } finally {
    plain.end()
    watched.end()
    rmSync(own, { recursive: true, force: true })
  }
}

function rowOf(store: string, way: string, pairs: readonly Pair[]): (string | number)[] {
  const percent = (ratio: number): string => `${((ratio - 1) * 100).toFixed(1)} %`
  const changes = (name: keyof Figure): number[] =>
    pairs.map(({ plain, watched }) => watched[name] / plain[name])
  const middle = (name: keyof Figure): string =>
    `${percent(percentile(changes(name), 0.25))} to ${percent(percentile(changes(name), 0.75))}`
  return [
    store,
    way,
    median(pairs.map(({ plain }) => plain.cpu)),
    median(pairs.map(({ watched }) => watched.cpu)),
    percent(median(changes('cpu'))),
    middle('cpu'),
    percent(median(changes('rate'))),
    middle('rate'),
  ]
}

const text = `# What being watched costs

${machine()} Jobs are accepted and run in one process, 100 in flight, their handlers do nothing: the worst case. Each way of watching is measured in ${PROCESSES} pairs of processes, of which one
is watched and one is not, in ${TURNS} turns each of ${JOBS.toLocaleString('en-US')} jobs, in alternation, after a warm-up. Compared are the CPU of the process for a job, and jobs a second: the change is the median over all pairs of turns, with its
quartiles. Logs: pino at \`info\` to nowhere, a line for each job, 100 a second at most. Metrics: scraped once a second. Traces: a real SDK with
a batch processor and an exporter that does nothing, which traces each job, or with \`sample: 0.01\` one in a hundred. All: logs, metrics and one trace in a hundred. Made by \`npm run bench -- observe\`.

Of \`nothing\`, which is measured like the others, each change is noise: where its quartiles are far apart, other work was on the machine, and only the calls alone say something.

${table(['store', 'watched by', 'CPU µs a job without', 'with', 'change', 'quartiles', 'jobs a second', 'quartiles'], rows)}

## The calls alone

What an observer is told of one job (sent, answered, run and ended), in turns of 2,000 jobs without a store, of which the quickest counts: what other work on the machine does not touch.
A job on SQLite takes 13 µs in all on a machine that does nothing else ([f](sqlite.md)).

${table(['watched by', 'ns a job'], calls)}
`
console.log(text)
if (asked.length === 0) writeFileSync(join(import.meta.dirname, '../results/observe.md'), text)
