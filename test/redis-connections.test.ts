import { offload, task } from 'offload'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { Cluster } from '../scripts/servers/cluster.ts'
import { startCluster } from '../scripts/servers/cluster.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Sentinel } from '../scripts/servers/sentinel.ts'
import { startSentinel } from '../scripts/servers/sentinel.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const QUEUES = 30
const WORKERS = 20

const redis = await needs('redis', startRedis)
const cluster = await needs<Cluster>('redis cluster', startCluster)
const group = await needs<Sentinel>('redis sentinel', startSentinel)

/** Runs a job of each queue, with somebody who watches all of them, and looks while all is in use. */
async function inUse(url: string, look: () => Promise<void>): Promise<void> {
  const tasks = Array.from({ length: QUEUES }, (_, nth) =>
    task(`connections.${nth}`, { queue: `queue-${nth}`, input: z.number(), run: (n) => n + nth }),
  )
  await using queue = offload({ url, tasks, logger: silentLogger })
  const watching = new AbortController()
  const ended = (async () => {
    let count = 0
    for await (const { type } of queue.watch({}, { after: 0, signal: watching.signal }))
      if (type === 'done' && ++count === QUEUES) return count
    return count
  })()
  for (let nth = 0; nth < WORKERS; nth++) queue.work()
  const handles = await Promise.all(tasks.map((each) => queue.enqueue(each, 1)))
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '10s' })))
  expect(results).toEqual(tasks.map((_, nth) => 1 + nth))
  expect(await ended).toBe(QUEUES)
  watching.abort()
  await look()
}

/** The connections of this process: not those that servers have among themselves, nor who asks here. */
async function connectionsTo(servers: readonly RedisServer[]): Promise<string[]> {
  const lists = await Promise.all(servers.map((server) => server.ask('client', 'list')))
  return lists
    .flatMap((list) => list.split('\n'))
    .filter((line) => !/ name=sentinel-| flags=[SM] | cmd=client\|list /.test(line))
}

/** Those that ask a cluster or a sentinel where the master is may still be on their way out. */
const has = (count: number, servers: readonly RedisServer[]): Promise<void> =>
  vi.waitFor(async () => expect(await connectionsTo(servers)).toHaveLength(count))

describe(`a process with ${QUEUES} queues and ${WORKERS} workers`, () => {
  if (redis !== undefined)
    test('has two connections to a Redis server', async () => {
      await inUse(redis.url, () => has(2, [redis]))
    })

  if (cluster !== undefined)
    test('has two connections to a cluster, both to the master of the slot', async () => {
      const master = await cluster.owner(await cluster.slotOf('{offload}:'))
      await inUse(`${cluster.url}?cluster=true`, async () => {
        await has(2, [master])
        await has(2, cluster.nodes)
      })
    })

  if (group !== undefined)
    test('has two connections to the master that sentinels name, and two to each of them', async () => {
      const hosts = group.sentinels.map((port) => `127.0.0.1:${port}`).join(',')
      await inUse(`redis://${hosts}?sentinel=${group.name}`, async () => {
        await has(2, [await group.master()])
        await has(2, group.servers)
        for (const watcher of group.watchers) await has(2, [watcher])
      })
    })
})
