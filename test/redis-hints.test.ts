import { Cluster as ClusterClient } from 'ioredis'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { startCluster } from '../scripts/servers/cluster.ts'
import { Link } from '../scripts/servers/proxy.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import { defaultRetention } from '../src/backend.ts'
import { duplicates } from '../src/backends/redis/client.ts'
import { Hints } from '../src/backends/redis/hints.ts'
import { jobsIn } from '../src/backends/wake.ts'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/log.ts'
import { needs, own } from './servers.ts'

const TIMEOUT_MS = 60_000
const PREFIX = 'hints'
const CHANNEL = `{${PREFIX}}:jobs`
/** So long that nobody is woken but by a hint. */
const NEVER_MS = 1_000_000

const isMissing = (await needs('redis cluster', startCluster)) === undefined

async function hintsOf(client: ClusterClient): Promise<Hints> {
  const options = {
    clock: systemClock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 500,
  }
  const hints = new Hints(await duplicates(client, PREFIX, options.timeoutMs), `{${PREFIX}}:`, options)
  onTestFinished(() => hints.close())
  return hints
}

const woken = (hints: Hints): Promise<void> =>
  hints.listen(jobsIn('q'), NEVER_MS, new AbortController().signal).hint

async function isHeard(node: RedisServer, hints: Hints): Promise<void> {
  const heard = woken(hints)
  await node.ask('publish', CHANNEL, 'q')
  await heard
}

const listens = (node: RedisServer): Promise<void> =>
  vi.waitFor(async () => expect(await node.ask('pubsub', 'numsub', CHANNEL)).toBe(`${CHANNEL}\n1`), {
    timeout: 20_000,
  })

describe.skipIf(isMissing)('who listens in a cluster', () => {
  test(
    'hears what any of its nodes is told',
    async () => {
      const cluster = await own('redis cluster', startCluster)
      const hints = await hintsOf(new ClusterClient([cluster.nodes[0].port], { lazyConnect: true }))
      await woken(hints)
      for (const node of cluster.nodes) await isHeard(node, hints)
    },
    TIMEOUT_MS,
  )

  test(
    'notices a socket that has gone silent, listens anew, and wakes everybody',
    async () => {
      const cluster = await own('redis cluster', startCluster)
      const master = await cluster.owner(await cluster.slotOf(CHANNEL))
      await using link = await Link.to(master.port)
      const natMap = { [`127.0.0.1:${master.port}`]: { host: '127.0.0.1', port: link.port } }
      const hints = await hintsOf(new ClusterClient([link.port], { natMap, lazyConnect: true }))
      await woken(hints)
      link.deafen(['up', 'down'])
      await woken(hints)
      await isHeard(master, hints)
    },
    TIMEOUT_MS,
  )

  test(
    'listens to the new master after a fail-over, and wakes everybody',
    async () => {
      const cluster = await own('redis cluster', () => startCluster({ replicas: true }))
      const places = cluster.nodes.map(({ port }) => port)
      const hints = await hintsOf(new ClusterClient(places, { lazyConnect: true }))
      await woken(hints)
      const again = woken(hints)
      const master = await cluster.failOver(await cluster.slotOf(CHANNEL))
      await again
      await listens(master)
      await isHeard(master, hints)
    },
    TIMEOUT_MS,
  )
})
