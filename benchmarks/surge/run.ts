import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createWriteStream } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as wait } from 'node:timers/promises'
import type { Offload } from 'offload'
import { offload } from 'offload'
import type { Point } from '../../lab/curve.ts'
import { all, pay, QUEUES } from './tasks.ts'

/** Orders a second before, during and after the surge, and how long each lasts. */
export const CALM_RATE = 2
export const SURGE_RATE = 20
export const CALM_S = 10
export const SURGE_S = 25
export const TARGET_S = 1
export const MAX = 4
export const SLOTS = 10
/** A run ends when one worker is left, or so long after the surge. */
const MOST_AFTER_S = 90
const LOOK_MS = 100

export interface Run {
  /** Over seconds from the start; the surge begins at CALM_S. */
  readonly workers: readonly Point[]
  readonly wanted: readonly Point[]
  readonly ages: readonly Point[]
  readonly accepted: readonly Point[]
  readonly decisions: readonly { readonly at: number; readonly to: number; readonly text: string }[]
  readonly orders: number
  readonly jobs: number
  readonly done: number
  /** Jobs that took more than one attempt. */
  readonly again: number
  readonly killed: number
  readonly crashed: number
  /** From the order of each worker but the first to its first claim. */
  readonly startsMs: readonly number[]
  /** Of the system while the surge lasted: over the number of cores, others were at work. */
  readonly load: number
}

const root = join(import.meta.dirname, '../..')

/** A surge on one queue in a file, and a pool of workers that is left to itself. */
export async function surge(folder: string, name: string): Promise<Run> {
  const url = `sqlite:${join(folder, `${name}.db`)}`
  await using queue = offload({ url, tasks: all })
  await queue.ready()
  let begun = performance.now()
  const now = (): number => (performance.now() - begun) / 1000
  const log = createWriteStream(join(folder, `${name}.log`))
  const pool = spawn(
    process.execPath,
    ['--conditions=offload-source', join(root, 'src/cli/main.ts'), ...words(url)],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  )
  pool.stderr.pipe(log)
  const seen = watch(pool, now)
  while (seen.working() === 0) await wait(20)
  begun = performance.now()
  const ending = new AbortController()
  const measured = look(queue, now, ending.signal)
  const orders = await produce(queue, now, CALM_S, CALM_RATE, 0)
  const surging = await produce(queue, now, CALM_S + SURGE_S, SURGE_RATE, orders)
  const load = loadavg()[0] ?? 0
  const until = now() + MOST_AFTER_S
  let last = surging
  while (now() < until && (seen.working() > 1 || seen.wanted.at(-1)?.[1] !== 1))
    last = await produce(queue, now, now() + 1, CALM_RATE, last)
  ending.abort()
  const { ages, accepted } = await measured
  pool.kill('SIGTERM')
  await once(pool, 'exit')
  return { ...seen, ages, accepted, orders: last, load, ...(await outcome(queue)) }
}

const words = (url: string): string[] => [
  ...[
    'work',
    join(import.meta.dirname, 'tasks.ts'),
    '--url',
    url,
    '--json',
    '--min',
    '1',
    '--max',
    String(MAX),
  ],
  ...['--concurrency', String(SLOTS), '--target-age', `${TARGET_S}s`],
]

interface Seen extends Pick<Run, 'workers' | 'wanted' | 'decisions' | 'startsMs'> {
  readonly working: () => number
  readonly killed: number
  readonly crashed: number
}

/** An event of the pool. */
interface Line {
  readonly event: string
  readonly to: number
  readonly text: string
  readonly startMs: number
}

/** What the pool tells, as it comes. */
function watch(pool: ChildProcess, now: () => number): Seen {
  const [workers, wanted]: [Point[], Point[]] = [[], [[0, 1]]]
  const decisions: Run['decisions'][number][] = []
  const startsMs: number[] = []
  const counts = { killed: 0, crashed: 0 }
  let working = 0
  const step = (points: Point[], value: number): void => {
    const at = now()
    points.push([at, points.at(-1)?.[1] ?? value], [at, value])
  }
  if (pool.stdout === null) throw new Error('the pool has no stdout')
  createInterface({ input: pool.stdout }).on('line', (line) => {
    const { event, to, text, startMs } = JSON.parse(line) as Line
    if (event === 'working' && working > 0) startsMs.push(startMs)
    if (event === 'working' && working++ === 0) workers.push([0, 1])
    else if (event === 'working') step(workers, working)
    if (event === 'ended' || event === 'crashed') step(workers, --working)
    if (event === 'killed' || event === 'crashed') counts[event]++
    if (event !== 'scaled') return
    step(wanted, to)
    decisions.push({ at: now(), to, text })
  })
  return {
    workers,
    wanted,
    decisions,
    startsMs,
    working: () => working,
    get killed() {
      return counts.killed
    },
    get crashed() {
      return counts.crashed
    },
  }
}

/** Orders come whether or not those before were done; answers how many there are now. */
async function produce(
  queue: Offload,
  now: () => number,
  until: number,
  rate: number,
  before: number,
): Promise<number> {
  const from = now()
  const calls: Promise<unknown>[] = []
  let made = 0
  while (now() < until) {
    for (; made < (now() - from) * rate; made++)
      calls.push(queue.enqueue(pay, { orderId: String(before + made) }, { id: `pay:${before + made}` }))
    await wait(5)
  }
  await Promise.all(calls)
  return before + made
}

async function look(
  queue: Offload,
  now: () => number,
  signal: AbortSignal,
): Promise<Pick<Run, 'ages' | 'accepted'>> {
  const [ages, accepted]: [Point[], Point[]] = [[], []]
  while (!signal.aborted) {
    const depths = await Promise.all(QUEUES.map((name) => queue.depth(name)))
    ages.push([now(), Math.max(...depths.map(({ oldestAgeMs }) => oldestAgeMs ?? 0)) / 1000])
    accepted.push([now(), depths.reduce((sum, { totals }) => sum + (totals?.accepted ?? 0), 0)])
    await wait(LOOK_MS)
  }
  return { ages, accepted }
}

/** What became of all jobs, once those that were left are done. */
async function outcome(queue: Offload): Promise<Pick<Run, 'jobs' | 'done' | 'again'>> {
  const worker = queue.work({ concurrency: 200 })
  for (;;) {
    const depths = await Promise.all(QUEUES.map((name) => queue.depth(name)))
    if (depths.every(({ ready, running, scheduled }) => ready === 0 && running === 0 && scheduled === 0))
      break
    await wait(50)
  }
  await worker.stop()
  const sums = { jobs: 0, done: 0, again: 0 }
  let cursor: string | undefined
  do {
    const { jobs, next } = await queue.find({ limit: 1000, ...(cursor === undefined ? {} : { cursor }) })
    sums.jobs += jobs.length
    sums.done += jobs.filter(({ state }) => state === 'done').length
    sums.again += jobs.filter(({ attempt }) => attempt > 1).length
    cursor = next
  } while (cursor !== undefined)
  return sums
}
