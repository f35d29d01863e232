import { fork } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { machine, median, readable, table } from '../lib/figures.ts'

// `npm run bench -- growth [--huge]`: what a backlog, and finished jobs that are kept, cost.
const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const cases = [
  { waiting: 1_000, ended: 0 },
  { waiting: 100_000, ended: 0 },
  { waiting: 1_000_000, ended: 0 },
  { waiting: 1_000, ended: 1_000_000 },
  ...(process.argv.includes('--huge') ? [{ waiting: 10_000_000, ended: 0 }] : []),
]
const figures = ['acceptRate', 'drainRate', 'one', 'get', 'find', 'dead', 'depth', 'rssGrown'] as const

type Figures = Record<(typeof figures)[number] | 'bytes', number>

const folder = mkdtempSync(join(tmpdir(), 'offload-growth-'))
const measured = new Map<object, { bytes: number; runs: Figures[] }>()
try {
  for (const one of cases) {
    const { bytes } = await child({ ...one, file: fileOf(one), seed: true })
    measured.set(one, { bytes, runs: [] })
    console.log(one, 'seeded', bytes)
  }
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    for (const one of repeat % 2 === 0 ? cases : [...cases].reverse()) {
      const copy = join(folder, 'copy.db')
      cpSync(fileOf(one), copy)
      const run = await child({ ...one, file: copy })
      for (const end of ['', '-wal', '-shm']) rmSync(copy + end, { force: true })
      measured.get(one)?.runs.push(run)
      console.log(one, run)
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
}
report()

function fileOf({ waiting, ended }: { waiting: number; ended: number }): string {
  return join(folder, `${waiting}-${ended}.db`)
}

function child(options: object): Promise<Figures> {
  return new Promise((resolve, reject) => {
    const process = fork(join(import.meta.dirname, 'measure.mjs'), [JSON.stringify(options)], {
      execArgv: ['--conditions=offload-source'],
    })
    process.once('message', (message) => resolve(message as Figures))
    process.once('exit', (code) => reject(new Error(`a measurement ended with ${code}`)))
  })
}

function report(): void {
  const rows = cases.map((one) => {
    const { bytes, runs } = measured.get(one) ?? { bytes: 0, runs: [] }
    const of = (figure: keyof Figures): number => median(runs.map((run) => run[figure]))
    return [
      one.waiting.toLocaleString('en-US'),
      one.ended.toLocaleString('en-US'),
      of('acceptRate'),
      of('drainRate'),
      of('one'),
      of('get'),
      of('find'),
      of('dead'),
      of('depth'),
      readable(of('rssGrown') / 1e6),
      readable(bytes / 1e6),
      String(Math.round(bytes / (one.waiting + one.ended))),
    ]
  })
  const head = [
    'waiting',
    'finished, kept',
    'accept /s',
    'run /s',
    'accept one ms',
    'get ms',
    'find ms',
    'find dead ms',
    'depth ms',
    'memory grown MB',
    'file MB',
    'bytes a job',
  ]
  const text = `# What a backlog costs on SQLite

${machine()} Medians of ${REPEATS} in alternation, each in a fresh process on a copy of the seeded file; 20,000 jobs accepted (100 in flight, fsynced) and 20,000 run (100 at once). Memory is that of the process that did both. Made by \`npm run bench -- growth\`.

${table(head, rows)}
`
  console.log(text)
  writeFileSync(join(import.meta.dirname, '../results/growth.md'), text)
}
