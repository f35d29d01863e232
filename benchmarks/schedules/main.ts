import type { ChildProcess } from 'node:child_process'
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as wait } from 'node:timers/promises'
import { machine, median, percentile, readable, table } from '../lib/figures.ts'

// `npm run bench -- schedules`: many schedules that are each due once within a minute of real time.
const SCHEDULES = Math.ceil(100_000 * Number(process.env.OFFLOAD_BENCH_SCALE ?? 1))
/** For storing the schedules before the first is due; by interval, they are not to be due again while it is measured. */
const AHEAD_MS = { every: 75_000, cron: 40_000 }

const cases = [
  { what: 'each at an instant of its own', shape: 'every', spreadMs: 60_000, workers: 1, repeats: 3 },
  { what: 'each at an instant of its own', shape: 'every', spreadMs: 60_000, workers: 2, repeats: 1 },
  { what: 'on the second, 60 of them (cron)', shape: 'cron', spreadMs: 60_000, workers: 1, repeats: 1 },
  { what: 'on the second, 60 of them (cron)', shape: 'cron', spreadMs: 60_000, workers: 2, repeats: 1 },
  { what: 'all at one second (cron)', shape: 'cron', spreadMs: 1000, workers: 1, repeats: 1 },
] as const

interface Run {
  readonly lags: readonly number[]
  readonly cpu: readonly number[]
  readonly storeRate: number
  /** Jobs that are done in the ledger. */
  readonly done: number
}

interface Figures {
  readonly lags: number[]
  readonly cpu: number
}

const folder = mkdtempSync(join(tmpdir(), 'offload-schedules-'))
const rows: (string | number)[][] = []
try {
  for (const [nth, one] of cases.entries()) {
    if (!isAsked(nth)) continue
    const runs: Run[] = []
    for (let repeat = 0; repeat < one.repeats; repeat++)
      runs.push(await measure(one, join(folder, `${nth}-${repeat}.db`)))
    rows.push(rowOf(one, runs))
    console.log(rows.at(-1))
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
report()

/** `npm run bench -- schedules 0 2` runs some cases, and writes nothing. */
function isAsked(nth: number): boolean {
  const asked = process.argv.slice(2).filter((one) => /^\d+$/.test(one))
  return asked.length === 0 || asked.includes(String(nth))
}

async function measure({ shape, spreadMs, workers }: (typeof cases)[number], file: string): Promise<Run> {
  const startAt = Math.ceil((Date.now() + AHEAD_MS[shape]) / 1000) * 1000
  const common = { file, schedules: SCHEDULES, startAt, spreadMs, shape }
  const { rate } = await answer<{ rate: number }>(child({ ...common, role: 'seed' }))
  if (Date.now() > startAt - 2000) throw new Error('storing the schedules took too long: raise AHEAD_MS')
  const children = Array.from({ length: workers }, () => child({ ...common, role: 'work' }))
  await wait(startAt + spreadMs + 1000 - Date.now())
  for (const until = Date.now() + 60_000; doneIn(file) < SCHEDULES && Date.now() < until; ) await wait(500)
  const figures = children.map((one) => answer<Figures>(one))
  for (const one of children) one.send('report')
  const all = await Promise.all(figures)
  return {
    lags: all.flatMap(({ lags }) => lags),
    cpu: all.map(({ cpu }) => cpu),
    storeRate: rate,
    done: doneIn(file),
  }
}

function child(options: object): ChildProcess {
  return fork(join(import.meta.dirname, 'process.mjs'), [JSON.stringify(options)], {
    execArgv: ['--conditions=offload-source', ...(process.env.OFFLOAD_BENCH_PROFILE ? ['--cpu-prof'] : [])],
  })
}

function answer<T>(child: ChildProcess): Promise<T> {
  return new Promise((resolve, reject) => {
    child.once('message', (message) => resolve(message as T))
    child.once('exit', (code) => reject(new Error(`a process ended with ${code}`)))
  })
}

function doneIn(file: string): number {
  const db = new DatabaseSync(file, { readOnly: true })
  try {
    const row = db.prepare('select coalesce(sum(n), 0) as n from counts where state = 3').get()
    return Number(row?.n)
  } finally {
    db.close()
  }
}

function rowOf({ what, workers }: (typeof cases)[number], runs: readonly Run[]): (string | number)[] {
  const lagOf = (part: number): string => String(median(runs.map(({ lags }) => percentile(lags, part))))
  const all = SCHEDULES * runs.length
  const sum = (figure: (run: Run) => number): number => runs.reduce((total, run) => total + figure(run), 0)
  return [
    what,
    String(workers),
    String(runs.length),
    `${sum(({ done }) => done).toLocaleString('en-US')} of ${all.toLocaleString('en-US')}`,
    String(sum(({ lags }) => lags.length) - all),
    lagOf(0.5),
    lagOf(0.99),
    lagOf(1),
    runs[0]?.cpu.map(readable).join(', ') ?? '',
    median(runs.map(({ storeRate }) => storeRate)),
  ]
}

function report(): void {
  const head = [
    'due',
    'worker processes',
    'repetitions',
    'jobs done',
    'runs too many or too few',
    'lag p50 ms',
    'p99 ms',
    'max ms',
    '% of a core, each',
    'stored /s',
  ]
  const text = `# Schedules that are due

${machine()} ${SCHEDULES.toLocaleString('en-US')} schedules on one SQLite file (fsynced), each due once within 60 s of real time (the last row: within one second); workers tick and run them, handlers do nothing. The lag is from the tick to the start of the handler. Medians of the repetitions; made by \`npm run bench -- schedules\`. Goal: each runs exactly once, p99 below 1,000 ms.

${table(head, rows)}
`
  console.log(text)
  if (rows.length === cases.length) writeFileSync(join(import.meta.dirname, '../results/schedules.md'), text)
}
