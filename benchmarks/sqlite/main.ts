import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startRedis } from '../../scripts/servers/redis.ts'
import { machine } from '../lib/figures.ts'
import { installPeers, sqliteNode, versions } from '../lib/peers.ts'
import { clear } from '../lib/redis.ts'
import type { AtMost, Beside } from '../lib/report.ts'
import { figureTable, goalTable } from '../lib/report.ts'
import type { Plan, Row, Scenario } from '../lib/runner.ts'
import { chosen, REPEATS, refuseUnknown, runAll, SCALE } from '../lib/runner.ts'

// `npm run bench [-- scenarios and systems]`: Offload on SQLite beside its peers.
const jobs: Record<Scenario, number> = {
  a: 4000,
  b: 100_000,
  c: 100_000,
  d1: 20_000,
  d10: 50_000,
  d100: 100_000,
  d2p: 100_000,
  e: 150,
  e2: 150,
  w: 150,
  i: 0,
  f: 60_000,
  f2: 60_000,
  g: 20_000,
}

const goals: readonly (Beside | AtMost)[] = [
  { scenario: 'b', peers: ['plainjob'], least: 10 },
  { scenario: 'd100', peers: ['plainjob'], least: 25 },
  { scenario: 'f', peers: ['plainjob'], least: 14 },
  { scenario: 'f', peers: ['bullmq'], least: 5 },
  { scenario: 'e', peers: ['plainjob'], least: 1 },
]

const redis = await startRedis()
if (redis === undefined)
  console.log('no redis-server here, and none could be installed: BullMQ and bee-queue are left out')
const arePeersHere = installPeers()
const node = sqliteNode()
if (!arePeersHere) console.log('the peers could not be installed: they are left out')
else if (node === undefined) console.log('better-sqlite3 could not be built: plainjob is left out')

const offload = { module: 'lib/offload.mjs' }
const systems: Record<string, Row> = {
  offload: { ...offload, url: 'sqlite:{path}', what: 'SQLite, accept fsynced' },
  'offload unsynced': {
    ...offload,
    url: 'sqlite:{path}?synchronous=normal',
    what: 'SQLite, accept not fsynced',
  },
  'offload zod': {
    ...offload,
    url: 'sqlite:{path}',
    checked: true,
    what: 'SQLite, accept fsynced, input checked by zod',
    only: ['b', 'd100', 'f'],
  },
  raw: {
    module: 'sqlite/raw.mjs',
    what: 'node:sqlite alone, accept fsynced',
    only: ['b', 'c', 'd100', 'f'],
  },
}
if (node !== undefined)
  systems.plainjob = { module: 'peers/plainjob.mjs', node, what: 'SQLite (better-sqlite3), not fsynced' }
if (redis !== undefined && arePeersHere)
  for (const name of ['bullmq', 'bee-queue'])
    systems[name] = { module: `peers/${name}.mjs`, port: redis.port, what: 'Redis, nothing on disk' }

const asked = process.argv.slice(2)
refuseUnknown(asked, systems, jobs)
const plan: Plan = {
  systems: chosen(systems, asked),
  jobs: chosen(jobs, asked),
  clear: async () => {
    if (redis !== undefined) await clear(redis.port)
  },
}
const figures = await runAll(plan).finally(() => redis?.stop())
const text = `# SQLite beside its peers

${machine()} ${versions(['bee-queue', 'better-sqlite3', 'bullmq', 'ioredis', 'plainjob'])}; plainjob on Node ${versionOf(node)}.
${REPEATS} repetitions in alternation, each in a fresh process after a warm-up of 5,000 jobs; payload about 165 bytes; handlers do nothing. Made by \`npm run bench\`; the absolute figures are this machine's, read the ratios.

${figureTable(plan, figures)}

## Goals

${goalTable(goals, figures)}
`
console.log(text)
if (asked.length === 0 && SCALE === 1) {
  const results = join(import.meta.dirname, '../results')
  writeFileSync(join(results, 'sqlite.md'), text)
  writeFileSync(join(results, 'sqlite.json'), `${JSON.stringify(figures, null, 1)}\n`)
}

function versionOf(node: string | undefined): string {
  return node === undefined ? 'none' : spawnSync(node, ['--version'], { encoding: 'utf8' }).stdout.trim()
}
