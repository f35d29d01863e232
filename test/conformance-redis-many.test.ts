import type { Cluster } from '../scripts/servers/cluster.ts'
import { startCluster } from '../scripts/servers/cluster.ts'
import type { Sentinel } from '../scripts/servers/sentinel.ts'
import { startSentinel } from '../scripts/servers/sentinel.ts'
import { redisStores } from './conformance/redis.ts'
import { conforms } from './conformance/target.ts'
import { needs } from './servers.ts'

const cluster = await needs<Cluster>('redis cluster', startCluster)
const group = await needs<Sentinel>('redis sentinel', failedOver)

const hosts = (ports: readonly number[]): string => ports.map((port) => `127.0.0.1:${port}`).join(',')

if (cluster !== undefined)
  conforms('redis cluster', redisStores(hosts(cluster.nodes.map(({ port }) => port)), '&cluster=true'))
if (group !== undefined)
  conforms('redis after a Sentinel fail-over', redisStores(hosts(group.sentinels), `&sentinel=${group.name}`))

/** A group whose first master is dead, so that a replica of it serves. */
async function failedOver(): Promise<Sentinel | undefined> {
  const group = await startSentinel()
  if (group === undefined) return undefined
  await group.failedOver(await group.killMaster())
  return group
}
