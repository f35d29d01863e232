import { fork, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { startRedis } from '../scripts/servers/redis.ts'
import { machine, median, readable, sorted, table } from './lib/figures.ts'

interface Figure {
  readonly rate?: number
  readonly p50?: number
  readonly p99?: number
  readonly bytes?: number
  readonly cpu?: number
}

const here = import.meta.dirname
const peers = join(here, 'peers')
const REPEATS = Number(process.env.OFFLOAD_BENCH_REPEATS ?? 3)
const SCALE = Number(process.env.OFFLOAD_BENCH_SCALE ?? 1)

/** What each scenario measures, and of how many jobs. */
const scenarios: Record<string, { what: string; jobs: number; unit: keyof Figure }> = {
  a: { what: 'accept, one call after the other', jobs: 4000, unit: 'rate' },
  b: { what: 'accept, 100 calls in flight', jobs: 100_000, unit: 'rate' },
  c: { what: 'accept in bulk, 1,000 a call', jobs: 100_000, unit: 'rate' },
  d1: { what: 'run a backlog, one at a time', jobs: 20_000, unit: 'rate' },
  d10: { what: 'run a backlog, 10 at once', jobs: 50_000, unit: 'rate' },
  d100: { what: 'run a backlog, 100 at once', jobs: 100_000, unit: 'rate' },
  d2p: { what: 'run a backlog in two processes, 100 at once each', jobs: 100_000, unit: 'rate' },
  e: { what: 'from the call to the start, 50 jobs a second, one process', jobs: 150, unit: 'p50' },
  e2: { what: 'the same, the worker in a process of its own', jobs: 150, unit: 'p50' },
  w: { what: 'from the acceptance to the start in another process', jobs: 150, unit: 'p50' },
  i: { what: 'a worker that waits, ten at once', jobs: 0, unit: 'cpu' },
  f: { what: 'accept and run in one process, 100 in flight', jobs: 60_000, unit: 'rate' },
  f2: { what: 'the same, the worker in a process of its own', jobs: 60_000, unit: 'rate' },
  g: { what: 'bytes a waiting job', jobs: 20_000, unit: 'bytes' },
}

const systems: Record<string, { what: string; redis?: true; foreign?: true; only?: readonly string[] }> = {
  offload: { what: 'SQLite, accept fsynced' },
  'offload unsynced': { what: 'SQLite, accept not fsynced' },
  'offload zod': { what: 'SQLite, accept fsynced, input checked by zod', only: ['b', 'd100', 'f'] },
  raw: { what: 'node:sqlite alone, accept fsynced', only: ['b', 'c', 'd100', 'f'] },
  plainjob: { what: 'SQLite (better-sqlite3), not fsynced', foreign: true },
  bullmq: { what: 'Redis, nothing on disk', redis: true, foreign: true },
  'bee-queue': { what: 'Redis, nothing on disk', redis: true, foreign: true },
}

const goals: readonly [scenario: string, peer: string, least: number][] = [
  ['b', 'plainjob', 10],
  ['d100', 'plainjob', 25],
  ['f', 'plainjob', 14],
  ['f', 'bullmq', 5],
  ['e', 'plainjob', 1],
]

const asked = process.argv.slice(2)
const wanted = (name: string, among: object): boolean =>
  !asked.some((one) => one in among) || asked.includes(name)

for (const other of ['http', 'growth', 'sse', 'schedules']) {
  if (!asked.includes(other)) continue
  await import(`./${other}/main.ts`)
  process.exit()
}

const redis = await startRedis()
if (redis === undefined)
  console.log('no redis-server here, and none could be installed: BullMQ and bee-queue are left out')
const foreignNode = installPeers()
if (foreignNode === undefined) console.log('the peers could not be installed: they are left out')

const folder = mkdtempSync(join(tmpdir(), 'offload-bench-'))
const figures = new Map<string, Figure[]>()
try {
  for (const [scenario, { jobs }] of Object.entries(scenarios)) {
    if (!wanted(scenario, scenarios)) continue
    const names = Object.keys(systems).filter((name) => takesPart(name, scenario))
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const system of repeat % 2 === 0 ? names : names.reverse()) {
        const figure = await measure(system, scenario, Math.ceil(jobs * SCALE))
        const key = `${scenario} ${system}`
        figures.set(key, [...(figures.get(key) ?? []), figure])
        console.log(`${scenario.padEnd(5)} ${system.padEnd(18)} ${JSON.stringify(figure)}`)
      }
    }
  }
} finally {
  rmSync(folder, { recursive: true, force: true })
  await redis?.stop()
}
report()

function takesPart(name: string, scenario: string): boolean {
  const system = systems[name]
  if (system === undefined || !wanted(name, systems)) return false
  if (system.redis && redis === undefined) return false
  if (system.foreign && foreignNode === undefined) return false
  return system.only?.includes(scenario) ?? true
}

/** One measurement is one process, on files and a queue of its own. */
async function measure(system: string, scenario: string, jobs: number): Promise<Figure> {
  const own = mkdtempSync(join(folder, 'run-'))
  if (redis !== undefined) spawnSync('redis-cli', ['-p', String(redis.port), 'flushall'])
  const child = fork(
    join(here, 'measure.mjs'),
    [JSON.stringify({ system, scenario, jobs, folder: own, port: redis?.port })],
    system === 'plainjob'
      ? { execPath: foreignNode ?? process.execPath, execArgv: [] }
      : { execArgv: ['--conditions=offload-source'] },
  )
  const figure = await new Promise<Figure>((resolve, reject) => {
    child.once('message', (message) => resolve(message as Figure))
    child.once('exit', (code) => reject(new Error(`${system} ${scenario} ended with ${code}`)))
    setTimeout(() => reject(new Error(`${system} ${scenario} took longer than two minutes`)), 120_000).unref()
  })
  child.kill('SIGKILL')
  rmSync(own, { recursive: true, force: true })
  return figure
}

/** The peers have a lock file of their own. better-sqlite3 is built for the Node that npm runs on: plainjob is run on that. */
function installPeers(): string | undefined {
  const path = (process.env.PATH ?? '').split(delimiter).filter((part) => !part.includes('node_modules'))
  const env = { ...process.env, PATH: path.join(delimiter) }
  if (!existsSync(join(peers, 'node_modules'))) {
    console.log('installing the peers (better-sqlite3 may have to be compiled: two minutes) …')
    spawnSync('npm', ['ci'], { cwd: peers, env, stdio: 'inherit' })
  }
  for (const node of [process.execPath, 'node']) {
    const code = "new (require('better-sqlite3'))(':memory:'); console.log(process.execPath)"
    const probe = spawnSync(node, ['-e', code], { cwd: peers, env, encoding: 'utf8' })
    if (probe.status === 0) return probe.stdout.trim()
  }
  return undefined
}

function values(scenario: string, system: string): number[] {
  const unit = scenarios[scenario]?.unit ?? 'rate'
  return (figures.get(`${scenario} ${system}`) ?? []).map((figure) => figure[unit] ?? 0)
}

function report(): void {
  const rows: (string | number)[][] = []
  for (const [scenario, { what, jobs, unit }] of Object.entries(scenarios)) {
    for (const [system, { what: durability }] of Object.entries(systems)) {
      const all = sorted(values(scenario, system))
      if (all.length === 0) continue
      const p99 = median((figures.get(`${scenario} ${system}`) ?? []).map((figure) => figure.p99 ?? 0))
      rows.push([
        `${scenario}: ${what}`,
        system,
        durability,
        String(Math.ceil(jobs * SCALE)),
        { rate: 'jobs/s', p50: 'ms p50', p99: 'ms', bytes: 'bytes', cpu: '% of a core' }[unit],
        all[0] ?? 0,
        median(all),
        all.at(-1) ?? 0,
        unit === 'p50' ? readable(p99) : '',
      ])
    }
  }
  const text = `# SQLite beside its peers

${machine()} ${versions()}
${REPEATS} repetitions in alternation, each in a fresh process after a warm-up of 5,000 jobs; payload about 165 bytes; handlers do nothing. Made by \`npm run bench\`; the absolute figures are this machine's, read the ratios.

${table(['scenario', 'system', 'kept how', 'jobs', 'unit', 'min', 'median', 'max', 'p99'], rows)}

## Goals

${table(['scenario', 'beside', 'goal', 'ratio of medians', 'by repetition'], goalRows())}
`
  console.log(text)
  if (asked.length > 0) return
  writeFileSync(join(here, 'results', 'sqlite.md'), text)
  writeFileSync(
    join(here, 'results', 'sqlite.json'),
    `${JSON.stringify(Object.fromEntries(figures), null, 1)}\n`,
  )
}

/** How many times as good Offload (fsynced) is. */
function goalRows(): string[][] {
  return goals.flatMap(([scenario, peer, least]) => {
    const [ours, theirs] = [values(scenario, 'offload'), values(scenario, peer)]
    if (ours.length === 0 || theirs.length === 0) return []
    const ratio = (our: number, their: number): string =>
      (scenarios[scenario]?.unit === 'rate' ? our / their : their / our).toFixed(1)
    const each = ours.map((our, index) => ratio(our, theirs[index] ?? Number.NaN))
    return [[scenario, peer, `${least}x`, `${ratio(median(ours), median(theirs))}x`, each.join(', ')]]
  })
}

function versions(): string {
  const { dependencies } = JSON.parse(readFileSync(join(peers, 'package.json'), 'utf8')) as {
    dependencies: Record<string, string>
  }
  const server = spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout?.match(/v=(\S+)/)?.[1]
  const peerVersions = Object.entries(dependencies).map(([name, version]) => `${name} ${version}`)
  return `Beside: ${peerVersions.join(', ')}; Redis ${server ?? 'none'}; plainjob on Node ${nodeVersion(foreignNode)}.`
}

function nodeVersion(node: string | undefined): string {
  return node === undefined ? 'none' : spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
}
