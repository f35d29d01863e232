import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Scenario } from './scenarios.ts'
import { acceptHundred, acceptOne, drain, endToEnd, rawInsert } from './scenarios.ts'

const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const JOBS = Number(process.env.OFFLOAD_BENCH_JOBS ?? 20_000)

const rows: { run: Scenario; what: string; jobs: number }[] = [
  { run: rawInsert, what: 'raw limit: fsynced inserts of node:sqlite, 100 a transaction', jobs: JOBS },
  { run: acceptOne, what: 'a: accept, one call after the other', jobs: Math.ceil(JOBS / 10) },
  { run: acceptHundred, what: 'b: accept, 100 calls in flight', jobs: JOBS },
  { run: drain, what: 'd100: run a backlog, 100 handlers at once', jobs: JOBS },
  { run: endToEnd, what: 'f: accept and run in one process', jobs: JOBS },
]

const folder = mkdtempSync(join(tmpdir(), 'offload-bench-'))
const figures = new Map<Scenario, number[]>()
try {
  for (let repeat = 0; repeat <= REPEATS; repeat++) {
    for (const { run, jobs } of repeat % 2 === 0 ? rows : [...rows].reverse()) {
      const figure = await run(join(folder, `${run.name}-${repeat}.db`), jobs)
      if (repeat > 0) figures.set(run, [...(figures.get(run) ?? []), figure])
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}

const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
const raw = median(figures.get(rawInsert) ?? [])
const table = [
  '| what | jobs | min /s | median /s | max /s | of the raw limit |',
  '|---|---|---|---|---|---|',
  ...rows.map(({ run, what, jobs }) => {
    const all = figures.get(run) ?? []
    return `| ${what} | ${jobs} | ${Math.min(...all)} | ${median(all)} | ${Math.max(...all)} | ${(median(all) / raw).toFixed(2)} |`
  }),
].join('\n')
const text = `# SQLite, one process

Node ${process.version}, ${cpus().length} cores (${cpus()[0]?.model ?? 'unknown'}), ${REPEATS} repeats in alternation after a warm-up, payload about 165 bytes.
Accepting is fsynced (\`synchronous=FULL\`) before a call resolves; claims and settles are written without one. Read the ratios.

${table}
`
console.log(text)
writeFileSync(join(import.meta.dirname, 'results', 'sqlite.md'), text)
