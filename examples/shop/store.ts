import { join } from 'node:path'
import { Redis } from 'ioredis'
import type { Settings } from './settings.ts'

/** Where the queue is: in the Redis of OFFLOAD_URL, under a prefix of this run's, or else in a file. */
export function queueUrl({ folder, run }: Settings): string {
  const url = process.env.OFFLOAD_URL
  if (url === undefined || url === '') return `sqlite:${join(folder, 'queue.db')}`
  if (!/^rediss?:/.test(url))
    throw new Error('OFFLOAD_URL of the demo is redis://… or rediss://…; without one it takes a file')
  const [server, query] = url.split('?')
  const options = new URLSearchParams(query)
  options.set('prefix', `${options.get('prefix') ?? 'shop'}-${run}`)
  return `${server}?${options}`
}

/** Deletes what a run left in Redis. In a cluster, or behind sentinels, it stays: the answer says under which keys. */
export async function removeRun(url: string): Promise<string | undefined> {
  if (!url.startsWith('redis')) return undefined
  const [server = '', query] = url.split('?')
  const options = new URLSearchParams(query)
  const keys = `{${options.get('prefix')}}:*`
  if (options.has('cluster') || options.has('sentinel')) return keys
  const client = new Redis(server)
  try {
    for await (const some of client.scanStream({ match: keys, count: 1000 }))
      if (some.length > 0) await client.unlink(some)
  } finally {
    client.disconnect()
  }
  return undefined
}
