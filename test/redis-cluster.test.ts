import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Cluster as ClusterClient } from 'ioredis'
import { offload, task } from 'offload'
import { redis } from 'offload/backends/redis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import type { Cluster } from '../scripts/servers/cluster.ts'
import { startCluster } from '../scripts/servers/cluster.ts'
import { Link } from '../scripts/servers/proxy.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import { until } from '../scripts/servers/until.ts'
import { startValkey } from '../scripts/servers/valkey.ts'
import { silentLogger } from '../src/log.ts'
import type { Places } from './faults/scene.ts'
import { Scene } from './faults/scene.ts'
import { Telling } from './faults/telling.ts'
import { needs, own } from './servers.ts'

const telling = new Telling('redis cluster')
const TIMEOUT_MS = 90_000
/** What every key of a store begins with. */
const STORE = '{offload}:'

const everywhere = (url: string): Places => ({ producer: url, worker: url, direct: url })
const urlOf = ({ nodes }: Cluster, query = ''): string =>
  `redis://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}?cluster=true${query}`
const double = task('cluster.double', { input: z.number(), run: (n) => 2 * n })

const open = (url: Parameters<typeof offload>[0]['url'], timeout: `${number}s` = '5s') =>
  offload({ url, tasks: [double], logger: silentLogger, limits: { timeout } })

const shared = await needs('redis cluster', startCluster)
const valkey = await needs('valkey', startValkey)

describe.skipIf(shared === undefined)('a cluster', () => {
  const cluster = shared as Cluster

  test('serves a store whichever node the url names, and one that is dead among them', async () => {
    const dead = await own('redis', startRedis)
    await dead.kill()
    for (const { port } of cluster.nodes) {
      await using queue = open(
        `redis://127.0.0.1:${dead.port},127.0.0.1:${port}?cluster=true&prefix=from-${port}`,
      )
      queue.work()
      const handle = await queue.enqueue(double, 21)
      expect(await handle.result({ timeout: '10s' })).toBe(42)
    }
  })

  test('is told apart from a single server, both ways', async () => {
    const single = await own('redis', startRedis)
    const [some] = cluster.nodes
    await using wrong = open(`${single.url}?cluster=true`, '1s')
    await expect(wrong.ready()).rejects.toThrow(/not a node of a cluster: leave \?cluster=true out/)
    const elsewhere = await prefixServedBy(cluster, (node) => node !== some)
    await using unaware = open(`${some.url}?prefix=${elsewhere}`, '1s')
    await expect(unaware.ready()).rejects.toThrow(
      /another node of a cluster has the keys: add \?cluster=true/,
    )
  })

  test('is used by a user with the narrow rights of the page and +cluster|slots', async () => {
    const page = readFileSync(join(import.meta.dirname, '../docs/backends/redis.md'), 'utf8')
    const [, rights = ''] = /~\{offload\}:\* &\{offload\}:\* (-@all [^`]*)/.exec(page) ?? []
    const commands = [...rights.trim().split(/\s+/), '+cluster|slots']
    for (const node of cluster.nodes)
      await node.ask('acl', 'setuser', 'app', 'on', '>secret', '~{rights}:*', '&{rights}:*', ...commands)
    await using queue = open(
      `redis://app:secret@127.0.0.1:${cluster.nodes[0].port}?cluster=true&prefix=rights`,
    )
    queue.work()
    expect(await (await queue.enqueue(double, 3)).result({ timeout: '10s' })).toBe(6)
    for (const node of cluster.nodes) await node.ask('acl', 'setuser', 'app', '-cluster|slots')
    await using refused = open(
      `redis://app:secret@127.0.0.1:${cluster.nodes[0].port}?cluster=true&prefix=rights`,
      '1s',
    )
    await expect(refused.ready()).rejects.toThrow(/on a cluster also \+cluster/)
  })

  test('is used through a client of the user, whose prefix and other settings do not matter, and who keeps it', async () => {
    const client = new ClusterClient([cluster.nodes[0].url], { keyPrefix: 'mine:', scaleReads: 'slave' })
    {
      await using queue = open(redis(client, { prefix: 'own-client' }))
      queue.work()
      expect(await (await queue.enqueue(double, 4)).result({ timeout: '10s' })).toBe(8)
    }
    expect(await client.set('still', 'mine')).toBe('OK')
    client.disconnect()
    const slot = await cluster.slotOf('{own-client}:')
    expect(await (await cluster.owner(slot)).ask('exists', '{own-client}:meta')).toBe('1')
  })
})

describe.skipIf(shared === undefined)('a slot that moves to another master', () => {
  type Move = (cluster: Cluster, slot: number, from: RedisServer, to: RedisServer) => Promise<void>

  /** Moves the slot of a store four times while jobs flow. */
  const moves =
    (name: string, move: Move, valkey = false) =>
    async (): Promise<void> => {
      await using cluster = await own(name, () => startCluster({ valkey }))
      await using scene = new Scene(everywhere(urlOf(cluster)), { longMs: 300 })
      const slot = await cluster.slotOf(STORE)
      scene.work()
      scene.load()
      const back: number[] = []
      for (let times = 0; times < 4; times++) {
        await scene.flows()
        const from = await cluster.owner(slot)
        await move(cluster, slot, from, otherThan(from, cluster))
        back.push(await scene.flowsAgain())
      }
      await scene.flows()
      telling.survived(`slot of a ${name} moved 4 times`, await scene.count(), back)
    }

  test(
    'under load, there and back: nothing is lost, nothing ends twice',
    moves('redis cluster', (cluster, slot, from, to) => cluster.migrateSlot(slot, from, to)),
    TIMEOUT_MS,
  )

  test.skipIf(valkey === undefined)(
    'of Valkey, under load, key by key: nothing is lost, nothing ends twice',
    moves('valkey cluster', (cluster, slot, from, to) => cluster.migrateSlot(slot, from, to), true),
    TIMEOUT_MS,
  )

  test.skipIf(valkey === undefined)(
    'of Valkey, under load, in one step: nothing is lost, nothing ends twice',
    moves(
      'valkey cluster',
      async (cluster, slot, from, to) => {
        const range = [String(slot), String(slot)]
        await from.ask(
          'cluster',
          'migrateslots',
          'slotsrange',
          ...range,
          'node',
          await to.ask('cluster', 'myid'),
        )
        await until('the slot at its new owner', async () => (await cluster.owner(slot)) === to)
      },
      true,
    ),
    TIMEOUT_MS,
  )

  test(
    'is waited for, with all that is asked meanwhile, and nothing is written where it goes before it is there',
    async () => {
      await using cluster = await own('redis cluster', startCluster)
      await using queue = open(urlOf(cluster), '20s')
      await using impatient = open(urlOf(cluster), '1s')
      await Promise.all([queue.ready(), impatient.ready()])
      const slot = await cluster.slotOf(STORE)
      const from = await cluster.owner(slot)
      const to = otherThan(from, cluster)
      const close = await cluster.openSlot(slot, from, to)
      const accepting = queue.enqueue(double, 5)
      await expect(impatient.enqueue(double, 6, { id: 'too-late' })).rejects.toMatchObject({
        code: 'BACKEND_UNAVAILABLE',
      })
      expect(await to.ask('cluster', 'countkeysinslot', String(slot))).toBe('0')
      await close()
      const { id, duplicate } = await accepting
      expect(duplicate).toBe(false)
      expect((await impatient.get(id))?.state).toBe('queued')
      expect(await impatient.get('too-late')).toBeUndefined()
    },
    TIMEOUT_MS,
  )

  test(
    'has the connection that listens follow it',
    async () => {
      await using cluster = await own('redis cluster', startCluster)
      await using queue = open(urlOf(cluster))
      queue.work()
      const slot = await cluster.slotOf(STORE)
      const from = await cluster.owner(slot)
      const to = otherThan(from, cluster)
      const listeners = async (node: RedisServer): Promise<string> =>
        (await node.ask('pubsub', 'numsub', `${STORE}jobs`)).split('\n')[1] ?? ''
      await vi.waitFor(async () => expect(await listeners(from)).toBe('1'), { timeout: 10_000 })
      await cluster.migrateSlot(slot, from, to)
      await vi.waitFor(async () => expect(await listeners(to)).toBe('1'), { timeout: 10_000 })
      expect(await listeners(from)).toBe('0')
    },
    TIMEOUT_MS,
  )
})

describe.skipIf(shared === undefined)('a cluster whose masters have replicas', () => {
  const failsOver = (query: string, check: (lost: number) => void) => async (): Promise<void> => {
    await using cluster = await own('redis cluster', () => startCluster({ replicas: true }))
    await using scene = new Scene(everywhere(urlOf(cluster, query)), { longMs: 300 })
    const slot = await cluster.slotOf(STORE)
    scene.work()
    scene.load()
    await scene.flows()
    const old = await cluster.owner(slot)
    await cluster.failOver(slot)
    // As its replica: until then there is none.
    await old.restart()
    const back = await scene.flowsAgain()
    await scene.flows()
    const tally = await scene.count()
    telling.told(`master of a cluster killed${query}`, tally, [back])
    expect(tally).toMatchObject({ finishedTwice: 0, stuck: 0 })
    check(tally.lost)
  }

  test(
    'loses no more than what the replica had not been sent, when the master is killed under load',
    failsOver('', (lost) => expect(lost).toBeLessThan(100)),
    TIMEOUT_MS,
  )
  test(
    'loses nothing where a replica has all that is accepted',
    failsOver('&replicas=1', (lost) => expect(lost).toBe(0)),
    TIMEOUT_MS,
  )

  test(
    'asks the master of the slot which replicas have a job, and no other',
    async () => {
      await using cluster = await own('redis cluster', () => startCluster({ replicas: true }))
      await using queue = open(urlOf(cluster, '&replicas=1'), '2s')
      expect((await queue.enqueue(double, 1)).duplicate).toBe(false)
      const master = await cluster.owner(await cluster.slotOf(STORE))
      const [replica] = /port=(\d+)/.exec(await master.ask('info', 'replication'))?.slice(1) ?? []
      const node = cluster.nodes.find(({ port }) => port === Number(replica))
      await node?.kill()
      await expect(queue.enqueue(double, 2)).rejects.toThrow(/only 0 of 1 servers have confirmed/)
    },
    TIMEOUT_MS,
  )
})

describe.skipIf(shared === undefined)('the network before a cluster', () => {
  test(
    'may swallow what is sent to all nodes, and leave connections half open: all goes on when it opens',
    async () => {
      await using cluster = await own('redis cluster', startCluster)
      const links = await Promise.all(cluster.nodes.map(({ port }) => Link.to(port, Math.random)))
      onTestFinished(async () => void (await Promise.all(links.map((link) => link[Symbol.asyncDispose]()))))
      const through = redis(behind(cluster, links))
      await using scene = new Scene(
        { producer: through, worker: through, direct: urlOf(cluster) },
        { longMs: 300 },
      )
      scene.work()
      scene.load()
      for (const way of ['up', 'down'] as const) {
        await scene.flows()
        for (const link of links) link.deafen([way])
        await scene.flowsAgain()
      }
      await scene.flows()
      const heal = links.map((link) => link.partition())
      await expect(scene.worker.depth()).rejects.toMatchObject({ code: 'BACKEND_UNAVAILABLE' })
      for (const end of heal) end()
      const back = await scene.flowsAgain()
      await scene.flows()
      telling.survived('cluster behind half-open connections and a black hole', await scene.count(), [back])
    },
    TIMEOUT_MS,
  )
})

function otherThan(node: RedisServer, { nodes }: Cluster): RedisServer {
  const other = nodes.find((one) => one !== node)
  if (other === undefined) throw new Error('one node only')
  return other
}

/** A client who is told of the links as if they were the nodes. */
function behind({ nodes }: Cluster, links: readonly Link[]): ClusterClient {
  const places = links.map(({ port }) => ({ host: '127.0.0.1', port }))
  const natMap = Object.fromEntries(places.map((place, nth) => [`127.0.0.1:${nodes[nth]?.port}`, place]))
  return new ClusterClient(places, { natMap, lazyConnect: true })
}

async function prefixServedBy(cluster: Cluster, isRight: (node: RedisServer) => boolean): Promise<string> {
  for (let nth = 0; ; nth++) {
    const slot = await cluster.slotOf(`{prefix-${nth}}:`)
    if (isRight(await cluster.owner(slot))) return `prefix-${nth}`
  }
}
