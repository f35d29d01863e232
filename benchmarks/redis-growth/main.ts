import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { IN_MEMORY, startRedis } from '../../scripts/servers/redis.ts'
import { machine, median, readable, table } from '../lib/figures.ts'
import { installPeers, versions } from '../lib/peers.ts'
import { clear } from '../lib/redis.ts'
import { answerOf, chosen, jobsOf, REPEATS, refuseUnknown, SCALE } from '../lib/runner.ts'

// `npm run bench -- redis-growth [rates priority memory connections]`: what a backlog costs on Redis, and what stays of it.
const RATE_JOBS = 100_000
const SINGLE_CALLS = 2000
const LONGEST_MS = 900_000

const systems = {
  offload: { module: 'lib/offload.mjs', url: 'redis://127.0.0.1:{port}?prefix={name}' },
  bullmq: { module: 'peers/bullmq.mjs' },
  'bee-queue': { module: 'peers/bee-queue.mjs' },
}
type System = keyof typeof systems
const all = Object.keys(systems) as System[]
const limits = { waiting: 100_000_000 }

const asked = process.argv.slice(3)
const parts = { rates, priority, memory, connections }
refuseUnknown(asked, parts)
if (!installPeers()) throw new Error('the peers could not be installed')
/** A log of slow commands would count as memory of jobs. */
const redis = await startRedis([...IN_MEMORY, '--slowlog-log-slower-than', '-1'])
if (redis === undefined) throw new Error('no redis-server here, and none could be installed')
const { port } = redis

const sections: string[] = []
try {
  for (const part of Object.values(chosen(parts, asked))) sections.push(await part())
} finally {
  await redis.stop()
}
report()

/** One step in a process of its own. */
async function step<Answer>(system: System, what: string, jobs: number, more: object = {}): Promise<Answer> {
  const given = { ...systems[system], port, step: what, jobs, settings: { limits }, ...more }
  const name = `${system} ${what} ${jobs}`
  const answer = await answerOf<Answer>(join(import.meta.dirname, 'measure.mjs'), given, name, {
    longestMs: LONGEST_MS,
  })
  console.log(name, JSON.stringify(answer))
  return answer
}

/** Measures each pair in alternation, the order turned round every second time; each on an empty server. */
async function alternated<One, Answer>(
  pairs: readonly One[],
  measure: (one: One) => Promise<Answer>,
): Promise<Map<One, Answer[]>> {
  const answers = new Map<One, Answer[]>(pairs.map((one) => [one, []]))
  for (let repeat = 0; repeat < REPEATS; repeat++)
    for (const one of repeat % 2 === 0 ? pairs : pairs.toReversed()) {
      await clear(port)
      answers.get(one)?.push(await measure(one))
    }
  return answers
}

function pairsOf(of: readonly System[], waiting: readonly number[]): { system: System; waiting: number }[] {
  return of.flatMap((system) => waiting.map((one) => ({ system, waiting: jobsOf(one) })))
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

async function rates(): Promise<string> {
  const jobs = jobsOf(RATE_JOBS)
  // A million of BullMQ's take minutes each time.
  const pairs = pairsOf(['offload', 'bee-queue'], [1000, 1_000_000])
  const answers = await alternated(pairs, async ({ system, waiting }) => {
    await step(system, 'seed', waiting)
    const accept = await step<{ rate: number }>(system, 'accept', jobs)
    const run = await step<{ rate: number }>(system, 'run', jobs)
    return { accept: accept.rate, run: run.rate }
  })
  const of = (one: (typeof pairs)[number] | undefined, figure: 'accept' | 'run'): number =>
    one === undefined ? Number.NaN : median((answers.get(one) ?? []).map((answer) => answer[figure]))
  const rows = pairs.map((pair) => {
    const least = pairs.find(({ system }) => system === pair.system)
    const ratio = (figure: 'accept' | 'run'): string => readable(of(pair, figure) / of(least, figure))
    return [
      pair.system,
      whole(pair.waiting),
      of(pair, 'accept'),
      ratio('accept'),
      of(pair, 'run'),
      ratio('run'),
    ]
  })
  const head = ['system', 'waiting', 'accept /s', 'of the first', 'run /s', 'of the first']
  return `## Rates at a backlog

On top of the backlog ${whole(jobs)} jobs are accepted (100 calls in flight), then as many are run (100 at once). Goal: Offload's rates at the long backlog within 15 % of those at the short one.

${table(head, rows)}`
}

async function priority(): Promise<string> {
  const calls = jobsOf(SINGLE_CALLS)
  const pairs = pairsOf(['offload', 'bullmq'], [400, 400_000])
  const answers = await alternated(pairs, async ({ system, waiting }) => {
    await step(system, 'seed', waiting, { prioritised: true })
    return step<{ p50: number; p99: number }>(system, 'prioritised', calls)
  })
  const rows = pairs.map((pair) => {
    const of = (figure: 'p50' | 'p99'): number =>
      median((answers.get(pair) ?? []).map((answer) => answer[figure]))
    return [pair.system, whole(pair.waiting), of('p50'), of('p99')]
  })
  return `## One more job with a priority

${whole(calls)} calls, one after the other, with the priorities 1 to 9 in turn; so have the jobs that wait. bee-queue has no priorities.

${table(['system', 'waiting', 'p50 ms', 'p99 ms'], rows)}`
}

async function memory(): Promise<string> {
  const rows: (string | number)[][] = []
  const retention = { ended: 1000, events: 1000, dead: 1000 }
  const pairs = [...pairsOf(all, [100_000]), ...pairsOf(['offload', 'bee-queue'], [1_000_000])]
  for (const { system, waiting } of pairs) {
    await clear(port)
    const { waiting: bytes, ...after } = await step<{
      waiting: number
      seconds: number
      left: number
      keys: number
      some: string[]
    }>(system, 'whole', waiting, { settings: { limits, retention } })
    const names = after.some.map((name) => `\`${name}\``).join(' ')
    rows.push([system, whole(waiting), bytes, whole(after.left), String(after.keys), names, after.seconds])
  }
  const head = [
    'system',
    'jobs',
    'bytes a waiting job',
    'bytes left',
    'keys left',
    'which',
    'settled after s',
  ]
  return `## Memory

\`used_memory\` less the buffers of clients, payload about 165 bytes. All jobs are accepted, then run to their end; Offload's retention is a second, the peers forget at once. Bytes left, in all, are those that FLUSHALL gives back then. Goals: 280 bytes a waiting job, nothing left a job.

${table(head, rows)}`
}

async function connections(): Promise<string> {
  const rows: string[][] = []
  for (const [queues, workers] of [
    [1, 1],
    [1, 4],
    [20, 1],
    [20, 4],
  ]) {
    await clear(port)
    const file = join(import.meta.dirname, 'connections.mjs')
    const count = await answerOf<number>(file, { port, queues, workers }, 'connections')
    rows.push([String(queues), String(workers), String(count)])
  }
  return `## Connections of a process of Offload

While it accepts, works and waits for results.

${table(['queues', 'workers', 'connections'], rows)}`
}

function report(): void {
  const text = `# What a backlog costs on Redis

${machine()} ${versions(['bee-queue', 'bullmq', 'ioredis'])}, nothing on disk. Rates and times are medians of ${REPEATS} in alternation, each step in a fresh process after a warm-up of 5,000 jobs, on a server that is emptied in between. Made by \`npm run bench -- redis-growth\`.

${sections.join('\n\n')}
`
  console.log(text)
  if (asked.length > 0 || SCALE !== 1) return
  writeFileSync(join(import.meta.dirname, '../results/redis-growth.md'), text)
}
