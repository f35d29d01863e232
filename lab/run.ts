import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machine, table } from '../benchmarks/lib/figures.ts'
import { seeded } from '../src/testing/least-power-broker.ts'
import { percentile } from './outside.ts'
import { runDurability } from './redis/run.ts'
import { runFaults, runProofs } from './run-faults.ts'
import { runSoak } from './soak-run.ts'
import type { Storm, SystemName } from './storm.ts'
import { LEASE_MS, storm } from './storm.ts'

// `npm run lab [-- sqlite|joined|faults|redis …]`: kills processes until enough were killed and enough jobs are through, then counts.
const kills = Number(process.env.OFFLOAD_LAB_KILLS ?? 500)
const jobs = Number(process.env.OFFLOAD_LAB_JOBS ?? 100_000)
const seed = Number(process.env.OFFLOAD_LAB_SEED ?? Date.now() % 1_000_000)
const all: readonly SystemName[] = ['sqlite', 'joined']
const asked = process.argv.slice(2).filter((name) => !name.startsWith('-'))

if (asked.includes('soak')) {
  await runSoak(seed)
  process.exit()
}
if (process.argv.includes('--mutants')) {
  const verdicts = await runProofs(seed)
  process.exit(verdicts.some(({ verdict }) => verdict === 'NOT CAUGHT') ? 1 : 0)
}
if (asked[0] === 'redis') process.exit((await runDurability(seed, asked.slice(1))) ? 0 : 1)
if (asked[0] === 'faults') process.exit((await runFaults(seed, asked.slice(1))) ? 0 : 1)

const results: Storm[] = []
for (const system of all) {
  if (asked.length > 0 && !asked.includes(system)) continue
  console.log(`${system}: OFFLOAD_LAB_SEED=${seed}, until ${kills} kills and ${jobs} jobs`)
  results.push(await storm({ system, kills, jobs, random: seeded(seed), log: console.log }))
}

const rows = results.map(({ system, seconds, faults, count }) => [
  system,
  String(count.kills),
  String(count.jobs),
  String(count.lost.length),
  String(count.finishedTwice.length),
  String(count.staleEnds.length),
  count.stuck ? 'yes' : '0',
  String(count.ranAgain),
  String(count.overlaps),
  `${percentile(count.recoveryMs, 0.5)} / ${percentile(count.recoveryMs, 0.99)} / ${count.recoveryMs.at(-1)}`,
  Object.entries(faults)
    .map(([name, n]) => `${name} ${n}`)
    .join(', '),
  `${Math.round(seconds)} s`,
])
const text = `# Crash lab

${machine()} Seed ${seed}, lease ${LEASE_MS} ms. Made by \`npm run lab\`; two producers and four workers are killed and paused at random, and at named points, while jobs flow. What was acknowledged, begun and ended is counted in a file outside the system.

${table(['system', 'kills', 'jobs', 'lost', 'finished twice', 'ends taken late', 'stuck', 'run more than once', 'overlapping runs', 'recovery p50 / p99 / max ms', 'faults', 'took'], rows)}
`
console.log(text)
for (const { system, count } of results) {
  const told = new Map<string, number>()
  for (const error of count.errors) {
    const kind = error.replace(/\d+/g, 'N')
    told.set(kind, (told.get(kind) ?? 0) + 1)
  }
  console.log(`${system} logged:`, Object.fromEntries([...told].sort((a, b) => b[1] - a[1]).slice(0, 12)))
}
const isKept = ({ count }: Storm): boolean =>
  ![count.lost, count.finishedTwice, count.staleEnds, count.stuck].some(isBroken)
if (!results.every(isKept)) process.exitCode = 1
if (asked.length === 0) {
  const folder = join(import.meta.dirname, '../benchmarks/results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'lab.md'), text)
}

/** What a check found: something, where nothing should be. */
function isBroken(found: unknown): boolean {
  return Array.isArray(found) ? found.length > 0 : found === true
}
