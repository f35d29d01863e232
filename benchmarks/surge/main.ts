import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, getPriority, tmpdir } from 'node:os'
import { join } from 'node:path'
import { draw } from '../../lab/chart.ts'
import type { Point } from '../../lab/curve.ts'
import { machine, median, sorted, table } from '../lib/figures.ts'
import type { Run } from './run.ts'
import { CALM_RATE, CALM_S, MAX, SLOTS, SURGE_RATE, SURGE_S, surge, TARGET_S } from './run.ts'
import { ORDER_MS } from './tasks.ts'

// `npm run bench -- surge [repetitions]`: a surge of orders on SQLite, and the worker processes that come and go with it.
const REPEATS = Number(process.argv[3] ?? 3)
const GOAL_S = 10

const folder = mkdtempSync(join(tmpdir(), 'offload-surge-'))
const runs: Run[] = []
try {
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const run = await surge(folder, `run-${repeat}`)
    runs.push(run)
    console.log(rowOf(run, repeat))
    for (const { at, to, text } of run.decisions) console.log(`  ${at.toFixed(1)} s: ${to} workers, ${text}`)
  }
} finally {
  for (const name of readdirSync(folder).filter((one) => one.endsWith('.log')))
    process.stderr.write(readFileSync(join(folder, name)))
  rmSync(folder, { recursive: true, force: true })
}
report()

/** From the start of the surge until no job is over the target age any more. */
function backUnder({ ages }: Run): number {
  const over = ages.filter(([at, age]) => at > CALM_S && age > TARGET_S)
  return Math.max(0, (over.at(-1)?.[0] ?? CALM_S) - CALM_S)
}

function rowOf(run: Run, nth: number): (string | number)[] {
  const most = (points: readonly Point[]): number => Math.max(...points.map(([, value]) => value))
  const firstGrowth = run.decisions.find(({ at, to }) => at > CALM_S && to > 1)?.at ?? Number.NaN
  return [
    String(nth + 1),
    `${(firstGrowth - CALM_S).toFixed(1)} s`,
    `${most(run.workers)}`,
    `${most(run.ages).toFixed(1)} s`,
    `${backUnder(run).toFixed(1)} s`,
    `${run.done.toLocaleString('en-US')} of ${run.jobs.toLocaleString('en-US')}`,
    `${run.again}, ${run.killed}, ${run.crashed}`,
    `${(Math.max(0, ...run.startsMs) / 1000).toFixed(1)} s`,
    run.load.toFixed(1),
  ]
}

function picture(run: Run): string {
  const end = Math.ceil(run.ages.at(-1)?.[0] ?? 0)
  const last = (points: readonly Point[]): Point[] => [...points, [end, points.at(-1)?.[1] ?? 0]]
  return draw({
    title: `A surge of orders on SQLite: 1 to ${MAX} worker processes, target age ${TARGET_S} s`,
    note: `${CALM_RATE} orders/s, from ${CALM_S} s to ${CALM_S + SURGE_S} s ${SURGE_RATE}/s; five jobs each, ${SLOTS} at once in a process. No job over the target age ${backUnder(run).toFixed(1)} s after the surge began.`,
    xUnit: 's',
    end,
    marks: run.decisions.map(({ at }) => at),
    charts: [
      {
        title: 'Worker processes',
        unit: '',
        scale: 'linear',
        lines: [
          { name: 'at work', points: last(run.workers) },
          { name: 'wanted', points: last(run.wanted) },
        ],
      },
      {
        title: 'Age of the oldest job that could start',
        unit: 's',
        scale: 'linear',
        lines: [
          { name: 'age', points: run.ages },
          {
            name: 'target',
            points: [
              [0, TARGET_S],
              [end, TARGET_S],
            ],
          },
        ],
      },
      {
        title: 'Jobs accepted',
        unit: 'a second',
        scale: 'linear',
        lines: [{ name: 'accepted', points: perSecond(run.accepted) }],
      },
    ],
  })
}

function perSecond(points: readonly Point[]): Point[] {
  const each = points.filter((_, nth) => nth % 10 === 0)
  return each.slice(1).map(([at, sum], nth): Point => {
    const [from, before] = each[nth] ?? [at, sum]
    return [at, at > from ? (sum - before) / (at - from) : 0]
  })
}

/** On a machine that others keep busy a process takes long to start, whatever the policy does. */
function priority(): string {
  return getPriority() < 0
    ? ` All of it ran before other programs that kept the cores busy (\`nice -n ${getPriority()}\`).`
    : ''
}

function report(): void {
  const back = runs.map(backUnder)
  const middle = runs.find((run) => backUnder(run) === median(back)) ?? runs[0]
  if (middle === undefined) return
  const needed = (SURGE_RATE * ORDER_MS) / 1000 / SLOTS
  const head = [
    'run',
    'first growth after',
    'processes',
    'oldest job',
    `back under ${TARGET_S} s after`,
    'jobs done',
    'tried again, killed, crashed',
    'slowest start',
    'load',
  ]
  const text = `# A real surge

${machine()} One SQLite file (fsynced), \`offload work --min 1 --max ${MAX} --concurrency ${SLOTS} --target-age ${TARGET_S}s\`. ${CALM_RATE} orders a second, and from second ${CALM_S} on ${SURGE_RATE} a second for ${SURGE_S} s; an order is paid (a call of 150 to 600 ms), then four jobs follow it (mail 250 to 1,000 ms). The surge needs ${needed.toFixed(1)} processes. The age is that of the oldest job that could start, looked at ten times a second; load is that of the system when the surge ended, on ${availableParallelism()} cores.${priority()} Made by \`npm run bench -- surge\`.

${table(head, runs.map(rowOf))}

Back under the target age after **${median(back).toFixed(1)} s** from the beginning of the surge (median; ${sorted(
    back,
  )
    .map((one) => one.toFixed(1))
    .join(', ')}). Goal: ${GOAL_S} s.

![Workers and age over time](surge.svg)

The decisions of the run in the picture:

${table(
  ['second', 'workers', 'why'],
  middle.decisions.map(({ at, to, text: why }) => [at.toFixed(1), String(to), why]),
)}
`
  console.log(text)
  writeFileSync(join(import.meta.dirname, '../results/surge.md'), text)
  writeFileSync(join(import.meta.dirname, '../results/surge.svg'), picture(middle))
}
