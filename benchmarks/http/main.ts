import { fork, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { aptInstall } from '../../scripts/apt.ts'
import { IN_MEMORY, startRedis } from '../../scripts/servers/redis.ts'
import { machine, median, readable, sorted, table } from '../lib/figures.ts'
import { installPeers, versions } from '../lib/peers.ts'
import { clear } from '../lib/redis.ts'
import { REPEATS, SCALE } from '../lib/runner.ts'

// `npm run bench -- http [redis]`: a mounted accept route, and a bare route that only parses the body, under wrk; on Redis also one
// that adds to BullMQ.
const SECONDS = Math.ceil(4 * SCALE)

type Queue = 'none' | 'offload' | 'bullmq'

/** What is measured on one store. */
interface Store {
  readonly name: string
  readonly frameworks: readonly string[]
  readonly queues: Readonly<Partial<Record<Queue, string>>>
  readonly goals: string
  /** Of the file in `results`. */
  readonly result: string
  /** An empty store for one measurement. */
  fresh(): Promise<{ url: string; port?: number }>
  close(): Promise<void>
}

interface Load {
  readonly rate: number
  readonly p50: number
  readonly p99: number
  readonly not202: number
  /** Answers less jobs in the store: each answer must have its job. */
  readonly missing: number
}

if (!isInstalled() && !aptInstall('wrk', '/usr/bin/wrk')) {
  console.log('wrk is not here and could not be installed: install it and run this again')
  process.exit(1)
}
const folder = mkdtempSync(join(tmpdir(), 'offload-http-'))
const store = process.argv[3] === 'redis' ? await redisStore() : sqliteStore()
const queues = Object.keys(store.queues) as Queue[]
const script = join(folder, 'post.lua')
writeFileSync(script, lua())
const loads = new Map<string, Load[]>()
try {
  for (const framework of store.frameworks) {
    for (let repeat = 0; repeat < REPEATS; repeat++) {
      for (const queue of repeat % 2 === 0 ? queues : queues.toReversed()) {
        const load = await measure(framework, queue)
        const key = `${framework} ${queue}`
        loads.set(key, [...(loads.get(key) ?? []), load])
        console.log(framework, queue, JSON.stringify(load))
      }
    }
  }
} finally {
  await store.close()
  rmSync(folder, { recursive: true, force: true })
}
report()

function sqliteStore(): Store {
  let files = 0
  return {
    name: '',
    frameworks: ['node:http', 'fastify'],
    queues: { none: 'none', offload: 'Offload, SQLite, fsynced before the 202' },
    goals: 'at least 0.85 of the rate of no queue, at most 2 of its p99',
    result: 'http.md',
    fresh: async () => ({ url: `sqlite:${join(folder, `${files++}.db`)}` }),
    close: async () => {},
  }
}

async function redisStore(): Promise<Store> {
  const redis = await startRedis(IN_MEMORY)
  if (redis === undefined) throw new Error('no redis-server here, and none could be installed')
  const hasPeers = installPeers()
  if (!hasPeers) console.log('the peers could not be installed: BullMQ is left out')
  const { port } = redis
  return {
    name: ', Redis',
    frameworks: ['fastify'],
    queues: {
      none: 'none',
      offload: 'Offload, Redis, nothing on disk',
      ...(hasPeers ? { bullmq: 'BullMQ, Redis, nothing on disk' } : {}),
    },
    goals: 'at least 0.95 of the rate of no queue',
    result: 'http-redis.md',
    async fresh() {
      await clear(port)
      return { url: `redis://127.0.0.1:${port}`, port }
    },
    close: () => redis.stop(),
  }
}

async function measure(framework: string, queue: Queue): Promise<Load> {
  const given = { framework, queue, ...(await store.fresh()) }
  const child = fork(join(import.meta.dirname, 'server.mjs'), [JSON.stringify(given)], {
    execArgv: ['--conditions=offload-source'],
  })
  const next = (): Promise<number> =>
    new Promise((resolve) => child.once('message', (message) => resolve(message as number)))
  const url = `http://127.0.0.1:${await next()}/orders`
  const warm = wrk(url, 2)
  const load = wrk(url, SECONDS)
  child.send('count')
  const ready = await next()
  const missing = queue !== 'none' ? Math.max(0, warm.answers + load.answers - ready) : 0
  return { rate: load.rate, p50: load.p50, p99: load.p99, not202: warm.not202 + load.not202, missing }
}

function wrk(
  url: string,
  seconds: number,
): { rate: number; p50: number; p99: number; answers: number; not202: number } {
  const { stdout } = spawnSync('wrk', ['-t1', '-c100', `-d${seconds}s`, '-s', script, url], {
    encoding: 'utf8',
  })
  const figures = /FIGURES (.*)/.exec(stdout)?.[1]
  if (figures === undefined) throw new Error(`wrk said: ${stdout}`)
  return JSON.parse(figures) as ReturnType<typeof wrk>
}

function lua(): string {
  const body = JSON.stringify({
    orderId: 'ord_0123456789abcdef',
    to: 'someone.with.a.name@example.com',
    lines: [{ sku: 'A-1', n: 2 }],
    note: 'please leave it at the door, thank you',
    total: 4250,
  })
  return `
wrk.method = "POST"
wrk.body = [[${body}]]
wrk.headers["Content-Type"] = "application/json"
local threads = {}
function setup(thread) table.insert(threads, thread) end
function init() not202 = 0 end
function response(status) if status ~= 202 then not202 = not202 + 1 end end
function done(summary, latency)
  local bad = 0
  for _, thread in ipairs(threads) do bad = bad + thread:get("not202") end
  io.write(string.format('FIGURES {"rate": %f, "p50": %f, "p99": %f, "answers": %d, "not202": %d}\\n',
    summary.requests / summary.duration * 1e6, latency:percentile(50) / 1000, latency:percentile(99) / 1000, summary.requests, bad))
end
`
}

function isInstalled(): boolean {
  return spawnSync('wrk', ['--version']).error === undefined
}

function report(): void {
  const of = (framework: string, queue: Queue, figure: keyof Load): number[] =>
    (loads.get(`${framework} ${queue}`) ?? []).map((load) => load[figure])
  const rows = store.frameworks.flatMap((framework) =>
    queues.map((queue) => {
      const rates = sorted(of(framework, queue, 'rate'))
      const ratio = (figure: 'rate' | 'p99'): string =>
        readable(median(of(framework, queue, figure)) / median(of(framework, 'none', figure)))
      const sum = (figure: 'not202' | 'missing'): string =>
        String(of(framework, queue, figure).reduce((all, one) => all + one, 0))
      return [
        framework,
        store.queues[queue] ?? '',
        rates[0] ?? 0,
        median(rates),
        rates.at(-1) ?? 0,
        median(of(framework, queue, 'p50')),
        median(of(framework, queue, 'p99')),
        ratio('rate'),
        ratio('p99'),
        sum('not202'),
        sum('missing'),
      ]
    }),
  )
  const head = [
    'server',
    'queue',
    'min req/s',
    'median',
    'max',
    'p50 ms',
    'p99 ms',
    'rate of no queue',
    'p99 of no queue',
    'not 202',
    '202 without a job',
  ]
  const beside = store.queues.bullmq === undefined ? '' : ` ${versions(['bullmq', 'ioredis'])}.`
  const command = `npm run bench -- ${process.argv.slice(2).join(' ')}`
  const text = `# The endpoint that answers 202${store.name}

${machine()}${beside} wrk, 100 connections, ${SECONDS} s, ${REPEATS} repetitions in alternation after a warm-up, on the same cores as the server. Made by \`${command}\`. Goals: ${store.goals}.

${table(head, rows)}
`
  console.log(text)
  if (SCALE === 1) writeFileSync(join(import.meta.dirname, '../results', store.result), text)
}
