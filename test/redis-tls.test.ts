import { readFileSync } from 'node:fs'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { Cluster as ClusterClient, Redis } from 'ioredis'
import { offload, task } from 'offload'
import type { Client } from 'offload/backends/redis'
import { redis as through } from 'offload/backends/redis'
import { afterEach, expect, test } from 'vitest'
import { z } from 'zod'
import type { Cluster } from '../scripts/servers/cluster.ts'
import { startCluster } from '../scripts/servers/cluster.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Tls } from '../scripts/servers/server.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const redis = await needs('redis', () => startRedis(undefined, { tls: true }))
const cluster = await needs<Cluster>('redis cluster', () => startCluster({ tls: true }))
const valkey = await needs<Cluster>('valkey cluster', () => startCluster({ valkey: true }))

const double = task('tls.double', { input: z.number(), run: (n) => 2 * n })

async function works(url: string | ReturnType<typeof through>): Promise<void> {
  await using queue = offload({ url, tasks: [double], logger: silentLogger })
  queue.work()
  expect(await (await queue.enqueue(double, 21)).result({ timeout: '10s' })).toBe(42)
}

/** The client is closed by who made it. */
async function worksThrough(client: Client): Promise<void> {
  await works(through(client))
  client.disconnect()
}

const trusting = ({ ca }: Tls) => ({ tls: { ca: readFileSync(ca) }, lazyConnect: true })

/** As NODE_EXTRA_CA_CERTS would for a process from its start. */
function trust({ ca }: Tls): void {
  setDefaultCACertificates([...usual, readFileSync(ca, 'utf8')])
}

const usual = getCACertificates('default')
afterEach(() => setDefaultCACertificates(usual))

if (redis !== undefined) {
  const tls = redis.tls as Tls
  test('a server is reached by rediss:, with a certificate that Node trusts', () => {
    trust(tls)
    return works(tls.url)
  })
  test('a server is reached with TLS, with a certificate that the client of the user trusts', () =>
    worksThrough(new Redis(tls.port, '127.0.0.1', trusting(tls))))
}

if (cluster !== undefined) {
  const tls = cluster.nodes[0].tls as Tls
  test('a cluster is reached by rediss:, with a certificate that Node trusts', () => {
    trust(tls)
    return works(`${tls.url}?cluster=true`)
  })
  test('every node of a cluster is reached with TLS, by any of its nodes', async () => {
    for (const { port } of cluster.nodes)
      await worksThrough(
        new ClusterClient([{ host: '127.0.0.1', port }], { redisOptions: trusting(tls), lazyConnect: true }),
      )
  })
}

if (valkey !== undefined)
  test('a cluster of Valkey serves a store', () => works(`${valkey.url}?cluster=true`))
