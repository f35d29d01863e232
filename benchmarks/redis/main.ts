import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { IN_MEMORY, startRedis } from '../../scripts/servers/redis.ts'
import { machine } from '../lib/figures.ts'
import { installPeers, versions } from '../lib/peers.ts'
import { clear } from '../lib/redis.ts'
import type { AtMost, Beside } from '../lib/report.ts'
import { figureTable, goalTable } from '../lib/report.ts'
import type { Figures, Plan, Row, Scenario } from '../lib/runner.ts'
import { chosen, REPEATS, refuseUnknown, runAll, SCALE } from '../lib/runner.ts'

// `npm run bench -- redis [scenarios and systems]`: Offload on Redis beside its peers, on the same server. As many jobs as take the
// quickest about a second.
const jobs: Partial<Record<Scenario, number>> = {
  a: 10_000,
  b: 150_000,
  c: 150_000,
  d1: 40_000,
  d10: 50_000,
  d100: 80_000,
  d2p: 80_000,
  e: 250,
  e2: 250,
  f: 40_000,
  f2: 40_000,
  g: 100_000,
}
const systems: Record<string, Omit<Row, 'what'> & Partial<Row>> = {
  offload: { module: 'lib/offload.mjs', url: 'redis://127.0.0.1:{port}?prefix={name}' },
  ...(installPeers()
    ? { bullmq: { module: 'peers/bullmq.mjs' }, 'bee-queue': { module: 'peers/bee-queue.mjs' } }
    : {}),
  raw: {
    module: 'redis/raw.mjs',
    what: 'ioredis and one list alone',
    only: ['a', 'b', 'c', 'd100', 'd2p', 'e', 'e2', 'f', 'f2', 'g'],
  },
}
const onDisk: readonly Scenario[] = ['a', 'b', 'c', 'd100', 'e', 'f']
const both = ['bee-queue', 'bullmq']

const goals: readonly (Beside | AtMost)[] = [
  { scenario: 'b', peers: ['bee-queue'], least: 2 },
  { scenario: 'b', peers: ['bullmq'], least: 6 },
  { scenario: 'c', peers: ['bee-queue'], least: 3 },
  { scenario: 'c', peers: ['bullmq'], least: 8 },
  { scenario: 'd1', peers: both, least: 30 },
  { scenario: 'd100', peers: both, least: 10 },
  { scenario: 'f', peers: both, least: 8 },
  { scenario: 'f2', peers: both, least: 10 },
  { scenario: 'e', peers: ['bee-queue'], least: 1.5 },
  { scenario: 'e', peers: ['bullmq'], least: 3 },
  { scenario: 'g', most: 280 },
  ...(['b', 'd100', 'f'] as const).map((scenario) => ({
    scenario,
    figure: 'server' as const,
    peers: ['bullmq'],
    least: 5,
  })),
]

interface Part {
  readonly plan: Plan
  readonly figures: Figures
}

if (systems.bullmq === undefined) console.log('the peers could not be installed: they are left out')
const asked = process.argv.slice(3)
refuseUnknown(asked, systems, jobs)
const memory = await measure(jobs, IN_MEMORY, 'nothing on disk')
const isOnDisk = (name: string): boolean => onDisk.includes(name as Scenario)
const file = await measure(
  Object.fromEntries(Object.entries(chosen(jobs, asked)).filter(([name]) => isOnDisk(name))),
  ['--save', '', '--appendonly', 'yes', '--appendfsync', 'everysec'],
  'log fsynced every second',
)
report(memory, file)

/** All systems on one server of these settings. */
async function measure(
  of: Partial<Record<Scenario, number>>,
  settings: readonly string[],
  what: string,
): Promise<Part> {
  const redis = await startRedis(settings)
  if (redis === undefined) throw new Error('no redis-server here, and none could be installed')
  const { port } = redis
  const onServer = Object.entries(systems).map(([name, row]) => [name, { what, ...row, port }] as const)
  const plan = {
    systems: chosen(Object.fromEntries(onServer), asked),
    jobs: Object.keys(of).length === 0 ? of : chosen(of, asked),
    hasServer: true,
    clear: () => clear(port),
  }
  return { plan, figures: await runAll(plan).finally(() => redis.stop()) }
}

function report(memory: Part, file: Part): void {
  const text = `# Redis beside its peers

${machine()} ${versions(['bee-queue', 'bullmq', 'ioredis'])}.
${REPEATS} repetitions in alternation, each in a fresh process after a warm-up of 5,000 jobs, on one server that is emptied in between; payload about 165 bytes; handlers do nothing. Server CPU is what \`used_cpu_user\` and \`used_cpu_sys\` of INFO grew by. Made by \`npm run bench -- redis\`; the absolute figures are this machine's, read the ratios.

## Nothing on disk (\`--save "" --appendonly no\`)

${figureTable(memory.plan, memory.figures)}

### Goals

${goalTable(goals, memory.figures)}

## With a log that is fsynced every second (\`--appendonly yes --appendfsync everysec\`)

${figureTable(file.plan, file.figures)}

### The same goals there

${goalTable(goals, file.figures)}
`
  console.log(text)
  if (asked.length > 0 || SCALE !== 1) return
  const results = join(import.meta.dirname, '../results')
  const kept = { memory: memory.figures, file: file.figures }
  writeFileSync(join(results, 'redis.md'), text)
  writeFileSync(join(results, 'redis.json'), `${JSON.stringify(kept, null, 1)}\n`)
}
