import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { Depth } from 'offload'
import { offload, task } from 'offload'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { Outside, repeated } from '../lab/outside.ts'
import { Link } from '../scripts/servers/proxy.ts'
import { startRabbitCluster } from '../scripts/servers/rabbit-cluster.ts'
import type { RabbitServer } from '../scripts/servers/rabbit-server.ts'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { until } from '../scripts/servers/until.ts'
import { problemOf } from '../src/http/problem.ts'
import { silentLogger } from '../src/log.ts'
import type { Scene } from './faults/scene.ts'
import { Telling } from './faults/telling.ts'
import { tasksOf } from './rabbitmq/poisoned.ts'
import type { Mode, TrioOptions } from './rabbitmq/trio.ts'
import { modes, nameOf, Trio } from './rabbitmq/trio.ts'
import { needs } from './servers.ts'

const telling = new Telling('rabbitmq')

/** 30 for the figures. */
const rounds = Number(process.env.OFFLOAD_FAULT_ROUNDS ?? 1)
/** How long the server is stopped in the middle of everything: 40 for the figures. */
const stoppedMs = Number(process.env.OFFLOAD_FAULT_STOPPED_SECONDS ?? 3) * 1000
const COMMAND =
  'OFFLOAD_FAULT_ROUNDS=30 OFFLOAD_FAULT_STOPPED_SECONDS=40 OFFLOAD_FAULT_REPORT=1 npx vitest run test/rabbitmq-faults.test.ts'
const isLong = rounds >= 30
const WORK = 90
/** So often each connection is cut, spread over what is said from its beginning on, the early bytes more densely: 200 for the figures. */
const cuts = isLong ? 200 : 8
const CONVERSATION_BYTES = { up: 15_000, down: 6000 } as const
const deletions = Math.ceil(rounds / 6)
const nodeLosses = Math.ceil(rounds / 6)
const TIMEOUT_MS = 90_000
const ROUND_MS = 60_000

interface LongRun {
  /** What was begun and told, in order. */
  readonly runs: readonly string[]
  readonly errors: readonly string[]
  /** Channels that the server closed. */
  readonly closed: number
}

/** How many channels the log of a server says were closed for what was not acknowledged. */
const closedIn = ({ folder }: RabbitServer): number =>
  readFileSync(join(folder, 'log'), 'utf8').match(/delivery acknowledgement on channel \d+ timed out/g)
    ?.length ?? 0

interface Links {
  readonly all: readonly Link[]
  readonly through: NonNullable<TrioOptions['through']>
}

/**
 * What waits for a retry, alone, is moved on by the server itself. Where it finds the next queue without a leader, or gone, it tries
 * again after 180 s unless told otherwise: later, and not lost.
 */
const SOONER = { advanced: '[{rabbit, [{dead_letter_worker_publisher_confirm_timeout, 2000}]}].' }

const rabbit = await needs('rabbitmq', () => startRabbit(SOONER))
const redis = await needs('redis', startRedis)

describe.skipIf(rabbit === undefined || redis === undefined)('RabbitMQ under load', () => {
  const server = rabbit as NonNullable<typeof rabbit>
  const redisUrl = (redis as NonNullable<typeof redis>).url
  const loaded = (options?: TrioOptions, concurrency?: number): Trio => {
    const trio = new Trio([server], redisUrl, options)
    trio.work(concurrency)
    trio.load()
    return trio
  }

  test(
    'may be restarted at a third and at half of the work: nothing accepted is lost',
    async () => {
      await using trio = loaded()
      for (let round = 0; round < rounds; round++) {
        for (const part of [1 / 3, 1 / 6]) {
          await trio.flows(WORK * part)
          await server.restart()
          await trio.flowsAgain()
        }
        await trio.flows(WORK / 2)
      }
      await trio.survived(telling, `restarted ${2 * rounds} times`)
    },
    2 * rounds * ROUND_MS + TIMEOUT_MS,
  )

  test(
    'may be killed: nothing accepted is lost',
    async () => {
      await using trio = loaded()
      for (let round = 0; round < rounds; round++) {
        await trio.flows()
        await trio.registered()
        await server.kill()
        await server.restart()
        await trio.flowsAgain()
      }
      await trio.flows()
      await trio.survived(telling, `killed ${rounds} times`)
    },
    rounds * ROUND_MS + TIMEOUT_MS,
  )

  test(
    'may be frozen: beside a ledger jobs are accepted meanwhile, alone calls are refused, and all goes on by itself',
    async () => {
      await using trio = loaded()
      const { none, sqlite, redis } = trio.scenes
      await trio.flows()
      await server.pause()
      await wait(stoppedMs)
      server.continue()
      await trio.flowsAgain()
      await trio.flows()
      expect(none.refusals.get('BACKEND_UNAVAILABLE')).toBeGreaterThan(0)
      expect([...sqlite.refusals, ...redis.refusals]).toEqual([])
      await trio.survived(telling, `frozen for ${stoppedMs} ms`)
    },
    stoppedMs + TIMEOUT_MS,
  )

  test.each([
    ['memory', ['set_vm_memory_high_watermark', '0.0001'], ['set_vm_memory_high_watermark', '0.4']],
    ['disk', ['set_disk_free_limit', '1000000GB'], ['set_disk_free_limit', '1MB']],
  ] as const)(
    'may be short of %s: beside a ledger jobs are accepted meanwhile, alone calls are refused at once; what is there runs',
    async (short, on, off) => {
      // Long enough for who waits for it to be told apart from who is told at once.
      await using trio = new Trio([server], redisUrl, { timeoutMs: 300_000 })
      const { none, sqlite, redis } = trio.scenes
      const all = modes.map((mode) => ({ mode, scene: trio.scenes[mode] }))
      trio.load()
      const loads = async ({ scene }: { scene: Scene }): Promise<void> => {
        await until('40 jobs', async () => scene.accepted.size > 40)
        await scene.rest()
      }
      await Promise.all(all.map(loads))
      const areThere = async (): Promise<boolean> => {
        const messages = await trio.messages()
        return all.every(({ mode, scene }) => messages[mode] === scene.accepted.size)
      }
      await until('the messages of all jobs', areThere)
      const there = new Map(all.map(({ mode, scene }) => [mode, scene.accepted.size]))
      await server.ctl(...on)
      trio.load()
      await until('a refusal', async () => none.refusals.size > 0)
      for (const { scene } of [{ scene: sqlite }, { scene: redis }]) await scene.nextAcceptance()
      trio.work()
      for (const { mode, scene } of all)
        await until('every job that was there', async () => scene.runs.size >= (there.get(mode) ?? 0))
      // Longer than a lease: ends that need a message must not be given up.
      await wait(2500)
      expect(none.accepted.size).toBe(there.get('none'))
      await server.ctl(...off)
      await trio.flowsAgain()
      await trio.flows()
      await trio.survived(telling, `short of ${short}`)
      expect([...sqlite.refusals, ...redis.refusals]).toEqual([])
      expect([...none.refusals.keys()]).toEqual(['BACKEND_FULL'])
      const { status, headers } = problemOf(none.lastRefusal)
      expect([status, headers]).toMatchObject([503, { 'retry-after': '5' }])
    },
    TIMEOUT_MS,
  )

  test(
    'may lose a queue while it is consumed: beside a ledger nothing is lost, alone just what was in it',
    async () => {
      // So slowly that much waits in the queue.
      await using trio = loaded({ mostWaiting: 60 }, 1)
      const { none } = trio.scenes
      /** What may have been in the queue of the one that has no ledger. */
      const waited = new Set<string>()
      for (let round = 0; round < deletions; round++) {
        await trio.flows()
        const before = new Set(none.unfinished())
        const accepted = none.accepted.size
        await Promise.all(modes.map((mode) => server.ctl('delete_queue', trio.queueOf(mode))))
        for (const id of [...none.accepted].slice(accepted)) before.add(id)
        const known = waited.size
        for (const id of before) waited.add(id)
        none.writeOff(waited.size - known)
        await trio.flowsAgain()
      }
      await trio.flows()
      await trio.survived(telling, `queue deleted ${deletions} times`, ['sqlite', 'redis'])
      expect(none.unfinished().length).toBeGreaterThan(0)
      expect(none.unfinished().filter((id) => !waited.has(id))).toEqual([])
    },
    deletions * 20_000 + TIMEOUT_MS,
  )

  describe('alone, with a server that takes back what is not acknowledged in time', () => {
    const ACK_MS = 2000
    const setTimeouts = (ackMs: number, tickMs: number): Promise<string> =>
      server.ctl(
        'eval',
        `application:set_env(rabbit, consumer_timeout, ${ackMs}), application:set_env(rabbit, channel_tick_interval, ${tickMs}).`,
      )
    beforeAll(() => setTimeouts(ACK_MS, 500))
    afterAll(() => setTimeouts(1_800_000, 60_000))

    /** The first run of a job is longer than the server waits and heeds nothing; its second ends at once. */
    const runsLong = async (name: string, query: string): Promise<LongRun> => {
      const runs: string[] = []
      const errors: string[] = []
      const long = task('fault.long', {
        input: z.null(),
        run: async (_, job) => {
          runs.push(`attempt ${job.attempt}`)
          if (job.attempt > 1) return
          job.signal.addEventListener('abort', () => runs.push((job.signal.reason as { code: string }).code))
          await wait(2 * ACK_MS)
          runs.push('end of attempt 1')
        },
      })
      const short = task('fault.short', { input: z.number(), run: (n) => void runs.push(`short ${n}`) })
      await using queue = offload({
        url: `${server.url}?prefix=${name}${query}`,
        ledger: 'none',
        tasks: [long, short],
        logger: silentLogger,
      })
      const worker = queue.work({ lease: '1s' })
      worker.on('error', ({ error }) => errors.push(String(error)))
      const before = closedIn(server)
      await queue.enqueue(long, null)
      await until('a second run', async () => runs.includes('attempt 2'))
      await until('the end of the first', async () => runs.includes('end of attempt 1'))
      await queue.enqueue(short, 1)
      await until('the next job', async () => runs.includes('short 1'))
      return { runs, errors, closed: closedIn(server) - before }
    }

    test(
      'hands a long job over before that, where it knows the time: no channel is closed',
      async () => {
        const { runs, errors, closed } = await runsLong('acks-known', `&ackTimeout=${ACK_MS}`)
        expect(runs).toEqual(['attempt 1', 'LEASE_LOST', 'attempt 2', 'end of attempt 1', 'short 1'])
        expect({ errors, closed }).toEqual({ errors: [], closed: 0 })
      },
      TIMEOUT_MS,
    )

    test(
      'has its channel closed where it does not: this is told, and the job runs again',
      async () => {
        const { runs, errors, closed } = await runsLong('acks-unknown', '')
        expect(runs.filter((run) => run.startsWith('attempt'))).toEqual(['attempt 1', 'attempt 2'])
        expect(runs).toContain('LEASE_LOST')
        expect(errors.join()).toContain('ack')
        expect(closed).toBeGreaterThan(0)
      },
      TIMEOUT_MS,
    )
  })

  test(
    'a job that kills its worker each time is dead after its attempts, and the others flow',
    async () => {
      await Promise.all(modes.map((mode) => poisons(mode)))
    },
    TIMEOUT_MS,
  )

  /** One poisonous job among others, for a process that is started again whenever it was killed. */
  async function poisons(mode: Mode): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'offload-poisoned-'))
    const outside = new Outside(join(folder, 'outside'))
    const { good, poison } = tasksOf(outside)
    const ledgers = {
      sqlite: `sqlite:${join(folder, 'jobs.db')}`,
      redis: `${redisUrl}/0?prefix=poisoned`,
      none: 'none',
    }
    const at = { url: `${server.url}?prefix=poisoned-${mode}`, ledger: ledgers[mode] }
    await using queue = offload({ ...at, tasks: [good, poison], logger: silentLogger })
    const enqueued = [
      ...Array.from({ length: 10 }, (_, n) => queue.enqueue(good, n, { id: `before-${n}` })),
      queue.enqueue(poison, null, { id: 'poison' }),
      ...Array.from({ length: 30 }, (_, n) => queue.enqueue(good, n, { id: `after-${n}` })),
    ]
    await Promise.all(enqueued)
    const program = join(import.meta.dirname, 'rabbitmq/poisoned.ts')
    const options = JSON.stringify({ ...at, outside: outside.path })
    let [isEnough, killed] = [false, 0]
    let child: ChildProcess | undefined
    const working = (async () => {
      while (!isEnough) {
        child = spawn(process.execPath, ['--conditions=offload-source', program, options], {
          stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        })
        const [, signal] = await once(child, 'exit')
        if (signal === 'SIGKILL') killed++
      }
    })()
    try {
      await until(`40 good jobs run; ${mode}`, async () => new Set(outside.ids('E')).size === 40, 40_000)
      // What had run, and was not stored when its worker was killed, runs again.
      const isOver = ({ dead, ready, running }: Depth): boolean => dead === 1 && ready === 0 && !running
      await until(`a dead letter and nothing else; ${mode}`, async () => isOver(await queue.depth()), 40_000)
    } finally {
      isEnough = true
      child?.disconnect()
      await working
    }
    const starts = outside.ids('S')
    const poisonous = starts.filter((id) => id === 'poison').length
    expect({ mode, poisonous, killed }).toEqual({ mode, poisonous: 3, killed: 3 })
    telling.survived(`a job that kills its worker; ${nameOf[mode]}`, {
      accepted: enqueued.length,
      lost: 0,
      finishedTwice: undefined,
      stuck: (await queue.depth()).ready ?? 0,
      ranAgain: repeated(starts).length,
      refusals: 0,
    })
    rmSync(folder, { recursive: true, force: true })
  }

  describe('the network before it', () => {
    /** A link for each producer and each worker. */
    const linked = async (): Promise<Links> => {
      const made = await Promise.all(
        modes.map(() => Promise.all([Link.to(server.port), Link.to(server.port)])),
      )
      const at = (mode: Mode) => made[modes.indexOf(mode)] as [Link, Link]
      const through = (mode: Mode) => {
        const [producer, worker] = at(mode)
        return { producer: `127.0.0.1:${producer.port}`, worker: `127.0.0.1:${worker.port}` }
      }
      return { all: made.flat(), through }
    }

    test(
      'may cut connections at any byte of what they say, both ways: nothing is lost, nothing ends twice',
      async () => {
        const { all, through } = await linked()
        await using trio = loaded({ through })
        await trio.flows()
        for (let cut = 0; cut < cuts; cut++) {
          const way = cut % 2 === 0 ? 'up' : 'down'
          const at = CONVERSATION_BYTES[way] * ((cut + 0.5) / cuts) ** 2
          for (const link of all) {
            link.cut()
            link.cutAfter(Math.round(at), way)
          }
          await until('a cut of each connection', async () => !all.some(({ isCutAhead }) => isCutAhead))
          await trio.flowsAgain()
        }
        await trio.flows()
        await trio.survived(telling, `cut within the bytes ${cuts} times`)
      },
      cuts * 3000 + TIMEOUT_MS,
    )

    test(
      'may swallow everything for longer than a call may take: all goes on when it opens',
      async () => {
        const { all, through } = await linked()
        await using trio = loaded({ through })
        await trio.flows()
        const heal = all.map((link) => link.partition())
        await wait(3000)
        const refused = trio.scenes.none.refusals.get('BACKEND_UNAVAILABLE')
        for (const open of heal) open()
        await trio.flowsAgain()
        await trio.flows()
        await trio.survived(telling, 'behind a black hole for 3000 ms')
        expect(refused).toBeGreaterThan(0)
      },
      TIMEOUT_MS,
    )

    test(
      'may leave connections half open, where what is sent vanishes: they are made anew',
      async () => {
        const { all, through } = await linked()
        await using trio = loaded({ through, query: 'heartbeat=1' })
        for (const ways of isLong
          ? ([['up'], ['down'], ['up', 'down']] as const)
          : ([['up'], ['down']] as const)) {
          await trio.flows()
          for (const link of all) link.deafen(ways)
          await trio.flowsAgain()
        }
        await trio.flows()
        await trio.survived(telling, 'half-open connections, heartbeat=1')
      },
      TIMEOUT_MS,
    )
  })
})

describe.skipIf(rabbit === undefined || redis === undefined)('a cluster of three nodes under load', () => {
  test(
    'may lose the node that leads: nothing accepted is lost',
    async () => {
      await using cluster = await startRabbitCluster(3, SOONER)
      if (cluster === undefined) throw new Error('no RabbitMQ here')
      await using trio = new Trio(cluster.nodes, (redis as NonNullable<typeof redis>).url)
      trio.work()
      trio.load()
      for (let round = 0; round < nodeLosses; round++) {
        await trio.flows()
        await trio.registered()
        const leader = await cluster.leader(trio.queueOf('none'))
        await leader.kill()
        await trio.flowsAgain()
        await trio.flows()
        await leader.restart()
        await cluster.settled()
      }
      // Alone a retry whose queue has no leader when it is due is late, until its node is back and longer (RabbitMQ 3.10), and may
      // still wait when all is counted.
      const those = isLong ? modes : (['sqlite', 'redis'] as const)
      await trio.survived(telling, `leader of three nodes killed ${nodeLosses} times`, those)
    },
    nodeLosses * ROUND_MS + 2 * TIMEOUT_MS,
  )
})

let hasFailed = false
afterEach(({ task: { result } }) => {
  hasFailed ||= result?.state === 'fail'
})

if (process.env.OFFLOAD_FAULT_REPORT !== undefined && rabbit !== undefined)
  afterAll(async () => {
    if (hasFailed) return console.error('not written down: a test failed, and its figures would be missing')
    telling.write({
      file: 'rabbitmq-faults.md',
      title: 'Faults of RabbitMQ',
      command: COMMAND,
      how: `RabbitMQ ${await rabbit.ctl('version')}, with
\`dead_letter_worker_publisher_confirm_timeout\` of 2 s (its default is 180 s: so late may a retry be, alone, whose queue had no leader when it was due).
One server under three loads at once, each a producer with three calls in flight and a worker with ten slots and leases of 1 s: beside a
ledger on SQLite, beside one on Redis, and alone. Every seventh handler takes longer, every eleventh throws the first time and is tried
again; what is refused is enqueued again under its id. What was accepted and run is counted outside, by those who were told so; beside a
ledger it is compared with every end that the ledger tells. Alone nothing remembers ends: that jobs ran again is counted instead. Lost: accepted,
and its handler never came to its end. A queue that is deleted takes with it, alone, what waits in it, and nothing else.`,
      flowing: `from the instant that the server is back (or the network open, or the node or the queue gone) until a job that
is enqueued then has been accepted and its handler begins. Of a half-open connection it is from the fault on, which the
missing heartbeats tell, here of one second.`,
    })
  })
