import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, describe, expect, test } from 'vitest'
import { Link } from '../scripts/servers/proxy.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { startSentinel } from '../scripts/servers/sentinel.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import { until } from '../scripts/servers/until.ts'
import type { Places } from './faults/scene.ts'
import { Scene } from './faults/scene.ts'
import { Telling } from './faults/telling.ts'
import type { Break } from './redis/breaker.ts'
import { Breaker, breaks } from './redis/breaker.ts'
import { Crowd, exchanges, OLDER } from './redis/crowd.ts'
import { needs } from './servers.ts'

const telling = new Telling('redis')

/** 50 for the figures. */
const rounds = Number(process.env.OFFLOAD_FAULT_ROUNDS ?? 3)
/** How long a server is stopped in the middle of everything: 40 for the figures. */
const stoppedMs = Number(process.env.OFFLOAD_FAULT_STOPPED_SECONDS ?? 3) * 1000
const isLong = rounds >= 50
const failOvers = Math.ceil(rounds / 10)
const TIMEOUT_MS = 60_000
const COMMAND =
  'OFFLOAD_FAULT_ROUNDS=50 OFFLOAD_FAULT_STOPPED_SECONDS=40 OFFLOAD_FAULT_REPORT=1 npx vitest run test/redis-faults.test.ts'
const FILE = ['--save', '', '--appendonly', 'yes']

const at = ({ url }: { url: string }): Places => ({ producer: url, worker: url, direct: url })
const through = (producer: Link, worker: Link, { url }: RedisServer): Places => ({
  producer: `redis://127.0.0.1:${producer.port}`,
  worker: `redis://127.0.0.1:${worker.port}`,
  direct: url,
})

/** How the network fails in each exchange: every way for the figures, otherwise one. */
const breaksOf = (nth: number): readonly (typeof breaks)[number][] =>
  isLong ? breaks : [breaks[nth % breaks.length] ?? 'request cut']

const isMissing = (await needs('redis', startRedis)) === undefined

async function server(settings?: readonly string[]): Promise<RedisServer> {
  const started = await startRedis(settings)
  if (started === undefined) throw new Error('no Redis here: install redis-server')
  return started
}

describe.skipIf(isMissing)('with a file that is appended to, a Redis server', () => {
  test(
    'may stop and start again under load: nothing accepted is lost',
    async () => {
      await using redis = await server(FILE)
      await using scene = new Scene(at(redis), { longMs: 300 })
      scene.work()
      scene.load()
      const back: number[] = []
      for (let round = 0; round < rounds; round++) {
        await scene.flows()
        await redis.restart()
        back.push(await scene.flowsAgain())
      }
      await scene.flows()
      telling.survived(`stopped and started ${rounds} times`, await scene.count(), back)
    },
    rounds * 10_000 + TIMEOUT_MS,
  )

  test(
    'may be killed under load, where each write is synced: nothing accepted is lost',
    async () => {
      await using redis = await server([...FILE, '--appendfsync', 'always'])
      await using scene = new Scene(at(redis), { longMs: 300 })
      scene.work()
      scene.load()
      const back: number[] = []
      for (let round = 0; round < rounds; round++) {
        await scene.flows()
        await redis.kill()
        await redis.restart()
        back.push(await scene.flowsAgain())
      }
      await scene.flows()
      telling.survived(`killed ${rounds} times`, await scene.count(), back)
    },
    rounds * 10_000 + TIMEOUT_MS,
  )

  test(
    'may be away for longer than a call may take, again and again: calls are refused, and all goes on by itself',
    async () => {
      await using redis = await server(FILE)
      await using scene = new Scene(at(redis), { longMs: 300 })
      scene.work()
      scene.load()
      const times = Math.ceil(rounds / 5)
      const back: number[] = []
      for (let round = 0; round < times; round++) {
        await scene.flows()
        await redis.kill()
        await wait(isLong ? 2500 + 500 * round : 2500)
        await redis.restart()
        back.push(await scene.flowsAgain())
      }
      const refused = scene.refusals.get('BACKEND_UNAVAILABLE')
      await scene.flows()
      telling.survived(`away ${times} times for ${isLong ? '2.5 to 7' : '2.5'} s`, await scene.count(), back)
      expect(refused).toBeGreaterThan(0)
    },
    rounds * 5000 + TIMEOUT_MS,
  )

  test(
    'may be frozen for longer than a call may take: calls are refused, and all goes on by itself',
    async () => {
      await using redis = await server()
      await using scene = new Scene(at(redis), { longMs: 300 })
      scene.work()
      scene.load()
      await scene.flows()
      await redis.pause()
      await wait(stoppedMs)
      const refused = scene.refusals.get('BACKEND_UNAVAILABLE')
      redis.continue()
      const back = await scene.flowsAgain()
      await scene.flows()
      telling.survived(`frozen for ${stoppedMs} ms`, await scene.count(), [back])
      expect(refused).toBeGreaterThan(0)
    },
    stoppedMs + TIMEOUT_MS,
  )
})

describe.skipIf(isMissing)('the network before a Redis server', () => {
  test(
    'may cut connections in the middle of any byte, both ways: nothing is lost, nothing ends twice',
    async () => {
      await using redis = await server()
      await using producing = await Link.to(redis.port, Math.random)
      await using working = await Link.to(redis.port, Math.random)
      await using scene = new Scene(through(producing, working, redis), { longMs: 300 })
      scene.work()
      scene.load()
      await scene.flows()
      producing.weather = { resetAfter: 16_000, slice: 700 }
      working.weather = { resetAfter: 60_000, slice: 700 }
      for (const link of [producing, working]) link.cut()
      const connections = async (): Promise<number> =>
        Number(/total_connections_received:(\d+)/.exec(await redis.ask('info', 'stats'))?.[1])
      const before = await connections()
      await scene.flows(400)
      await until('many cuts', async () => (await connections()) - before > 10)
      const cuts = (await connections()) - before
      for (const link of [producing, working]) link.weather = {}
      await scene.flows()
      telling.survived(`cut within the bytes about ${cuts} times`, await scene.count())
    },
    TIMEOUT_MS,
  )

  test(
    'may swallow everything for longer than a call may take: all goes on when it opens',
    async () => {
      await using redis = await server()
      await using producing = await Link.to(redis.port, Math.random)
      await using working = await Link.to(redis.port, Math.random)
      await using scene = new Scene(through(producing, working, redis), { longMs: 300 })
      scene.work()
      scene.load()
      await scene.flows()
      const heal = [producing, working].map((link) => link.partition())
      await wait(3000)
      const refused = scene.refusals.get('BACKEND_UNAVAILABLE')
      for (const open of heal) open()
      const back = await scene.flowsAgain()
      await scene.flows()
      telling.survived('behind a black hole for 3000 ms', await scene.count(), [back])
      expect(refused).toBeGreaterThan(0)
    },
    TIMEOUT_MS,
  )

  test(
    'may leave connections half open, where what is sent vanishes: they are made anew',
    async () => {
      await using redis = await server()
      await using producing = await Link.to(redis.port, Math.random)
      await using working = await Link.to(redis.port, Math.random)
      await using scene = new Scene(through(producing, working, redis), { longMs: 300 })
      scene.work()
      scene.load()
      for (const way of ['up', 'down'] as const) {
        await scene.flows()
        for (const link of [producing, working]) link.deafen([way])
        await scene.flowsAgain()
      }
      await scene.flows()
      telling.survived('with half-open connections', await scene.count())
    },
    TIMEOUT_MS,
  )
})

describe.skipIf(isMissing)('the middle of an exchange', () => {
  /** Fails in the middle of each of these exchanges, while all who use a store use it. */
  const breaking =
    (broken: readonly (readonly [name: string, word: string, how: Break])[]) => async (): Promise<void> => {
      await using redis = await server()
      await using replica = await server()
      await replica.ask('replicaof', '127.0.0.1', String(redis.port))
      await using breaker = await Breaker.to(redis.port)
      const url = `${breaker.url}/0?replicas=1`
      await using scene = new Scene(
        { producer: url, worker: breaker.url, direct: redis.url },
        { longMs: 500, timeoutMs: 1000 },
      )
      await using crowd = new Crowd(breaker.url)
      scene.work()
      scene.load()
      await scene.flows()
      const back: number[] = []
      for (const [name, word, how] of broken) {
        const isSprung = breaker.set(word, how)
        if (name === 'the script upgrade') await redis.ask('hset', `{${OLDER}}:meta`, 'version', '1')
        if (name === 'EVAL') await redis.ask('script', 'flush')
        if (['INFO', 'CLIENT', 'TIME', 'SUBSCRIBE'].includes(name)) breaker.cut()
        await until(`${how}: ${name}`, async () => isSprung())
        back.push(await scene.flowsAgain())
      }
      await scene.flows()
      telling.survived(
        `network failed in the middle of ${broken.length} exchanges`,
        await scene.count(),
        back,
      )
      await crowd.rest()
      await until('the jobs through a message broker', async () =>
        [...crowd.accepted].every((id) => crowd.ran.has(id)),
      )
      expect([...crowd.uncoded, ...scene.refusals.keys()]).toEqual(['BACKEND_UNAVAILABLE'])
    }

  test(
    'may be where the network cuts the connection or goes silent, in each of the commands and scripts',
    breaking(
      exchanges.flatMap(([name, word], nth) => breaksOf(nth).map((how) => [name, word, how] as const)),
    ),
    exchanges.length * (isLong ? 25_000 : 5000) + TIMEOUT_MS,
  )
})

describe.skipIf(isMissing)('under load', () => {
  /** Says a command to the server again and again while jobs flow. */
  const survives =
    (...command: readonly string[]) =>
    async (): Promise<void> => {
      await using redis = await server()
      await using scene = new Scene(at(redis), { longMs: 300 })
      scene.work()
      scene.load()
      await scene.flows()
      for (let times = 0; times < 20; times++) {
        await redis.ask(...command)
        await scene.flows(5)
      }
      telling.survived(`20 times ${command.join(' ')}`, await scene.count())
    }

  test('the scripts of the server may be flushed', survives('SCRIPT', 'FLUSH'), TIMEOUT_MS)
  test('every connection may be killed', survives('CLIENT', 'KILL', 'TYPE', 'normal'), TIMEOUT_MS)
  test('every subscription may be killed', survives('CLIENT', 'KILL', 'TYPE', 'pubsub'), TIMEOUT_MS)

  test(
    'a full server refuses jobs with BACKEND_FULL and lets those end that it has, even longer ones than a lease; then it takes jobs again',
    async () => {
      await using redis = await server()
      await using scene = new Scene(at(redis), { longMs: 2500 })
      scene.load('x'.repeat(20_000))
      await scene.nextAcceptance()
      const used = Number(/used_memory:(\d+)/.exec(await redis.ask('info', 'memory'))?.[1])
      await redis.ask('config', 'set', 'maxmemory', String(used + 3_000_000))
      while (!scene.refusals.has('BACKEND_FULL')) await wait(10)
      await redis.ask('config', 'set', 'maxmemory', '1')
      await scene.rest()
      const accepted = [...scene.accepted]
      scene.work(50)
      await until('an empty queue of a full server', async () => {
        const { ready, running } = await scene.worker.depth()
        return ready === 0 && running === 0
      })
      const notOnce = accepted.filter((id) => scene.runs.get(id) !== 1)
      await redis.ask('config', 'set', 'maxmemory', '0')
      scene.load()
      await scene.flows()
      telling.survived('full, and empty again', await scene.count())
      expect(notOnce).toEqual([])
    },
    TIMEOUT_MS,
  )
})

describe.skipIf(isMissing)('sentinels that give the group another master under load', () => {
  const failsOver = (query: string, check: (lost: number) => void) => async (): Promise<void> => {
    await using group = await startSentinel()
    if (group === undefined) throw new Error('no Redis here: install redis-server')
    const hosts = group.sentinels.map((port) => `127.0.0.1:${port}`).join(',')
    const url = `redis://${hosts}?sentinel=${group.name}${query}`
    await using scene = new Scene({ producer: url, worker: url, direct: url }, { longMs: 300 })
    scene.work()
    scene.load()
    const back: number[] = []
    for (let times = 0; times < failOvers; times++) {
      await group.settled()
      await scene.flows()
      const old = await group.killMaster()
      await group.failedOver(old)
      back.push(await scene.flowsAgain())
      await old.restart()
    }
    await scene.flows()
    const tally = await scene.count()
    telling.told(`master killed ${failOvers} times before sentinels${query && ', ?replicas=1'}`, tally, back)
    expect(tally).toMatchObject({ finishedTwice: 0, stuck: 0 })
    check(tally.lost)
  }

  test(
    'lose no more than what the replica had not been sent',
    failsOver('', (lost) => expect(lost).toBeLessThan(100)),
    failOvers * 20_000 + TIMEOUT_MS,
  )
  test(
    'lose nothing where a replica has all that is accepted',
    failsOver('&replicas=1', (lost) => expect(lost).toBe(0)),
    failOvers * 20_000 + TIMEOUT_MS,
  )
})

if (process.env.OFFLOAD_FAULT_REPORT !== undefined)
  afterAll(() =>
    telling.write({
      file: 'redis-faults.md',
      title: 'Faults of Redis',
      command: COMMAND,
      how: `A producer with ten calls in flight and a worker with ten slots and leases of 1 s, every seventh handler
taking longer than the others, while the server or the network fails; real servers throughout. What was accepted and run is counted by
those who were told so, outside the store, and compared with every end that the store tells.`,
      flowing: `from the instant that the server is back (or the network open) until a job that is enqueued then
has been accepted and its handler begins. In the middle of an exchange it is from the fault on, which is found out by a timeout of 1 s where
bytes vanish in silence: two of five breaks.`,
    }),
  )
