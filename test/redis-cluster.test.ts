import { expect, test } from 'vitest'
import type { Cluster } from '../scripts/servers/cluster.ts'
import { startCluster } from '../scripts/servers/cluster.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import type { Places } from './redis/scene.ts'
import { Scene, survived, told } from './redis/scene.ts'
import { needs, own } from './servers.ts'

const TIMEOUT_MS = 90_000

const everywhere = (url: string): Places => ({ producer: url, worker: url, direct: url })

const shared = await needs('redis cluster', startCluster)
if (shared !== undefined) {
  test(
    'a slot may move to another master and back under load: nothing is lost, nothing ends twice',
    async () => {
      await using cluster = await own('redis cluster', startCluster)
      const url = `${cluster.url}?cluster=true`
      await using scene = new Scene(everywhere(url), { longMs: 300 })
      scene.work()
      scene.load()
      const back: number[] = []
      const slot = await cluster.slotOf('{offload}:')
      for (let times = 0; times < 4; times++) {
        await scene.flows()
        const from = await cluster.owner(slot)
        const to = other(cluster, from)
        await cluster.migrateSlot(slot, from, to)
        back.push(await scene.nextRun())
      }
      await scene.flows()
      survived('moved 4 times', await scene.count(), back)
    },
    TIMEOUT_MS,
  )
}

function other(cluster: Cluster, from: RedisServer): RedisServer {
  const to = cluster.nodes.find((node) => node !== from)
  if (to === undefined) throw new Error('one node only')
  return to
}
