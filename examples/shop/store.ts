import { join } from 'node:path'
import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import type { Settings } from './settings.ts'

/** What `offload()` is given. */
export interface Store {
  readonly url: string
  readonly ledger?: string
}

/**
 * Where the queue is: in the server of OFFLOAD_URL, under a prefix of this run's, or else in a file. A RabbitMQ only moves the
 * jobs: they are remembered in the Redis of OFFLOAD_LEDGER, or else in a file.
 */
export function storeOf({ folder, run }: Settings): Store {
  const url = process.env.OFFLOAD_URL
  if (url === undefined || url === '') return { url: `sqlite:${join(folder, 'queue.db')}` }
  if (/^rediss?:/.test(url)) return { url: ofRun(url, run) }
  if (!/^amqps?:/.test(url))
    throw new Error(
      'OFFLOAD_URL of the demo is redis:, rediss:, amqp: or amqps:; without one it takes a file',
    )
  const ledger = process.env.OFFLOAD_LEDGER
  return {
    url: ofRun(url, run),
    ledger: ledger?.startsWith('redis') ? ofRun(ledger, run) : `sqlite:${join(folder, 'ledger.db')}`,
  }
}

/** Deletes what a run left in servers. In a cluster of Redis, or behind sentinels, it stays: the answer says under which keys. */
export async function removeRun(
  { url, ledger }: Store,
  queues: Iterable<string>,
): Promise<string | undefined> {
  if (url.startsWith('amqp')) await removeQueues(url, queues)
  return (await removeKeys(url)) ?? (await removeKeys(ledger ?? ''))
}

function ofRun(url: string, run: string): string {
  const [server, query] = url.split('?')
  const options = new URLSearchParams(query)
  options.set('prefix', `${options.get('prefix') ?? 'shop'}-${run}`)
  return `${server}?${options}`
}

async function removeKeys(url: string): Promise<string | undefined> {
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

async function removeQueues(url: string, queues: Iterable<string>): Promise<void> {
  const [server = '', query] = url.split('?')
  const prefix = new URLSearchParams(query).get('prefix')
  const connection = await connect(server)
  const channel = await connection.createChannel()
  for (const kind of ['jobs', 'dead']) {
    for (const queue of queues) await channel.deleteQueue(`${prefix}.${kind}.${queue}`)
    await channel.deleteExchange(`${prefix}.${kind}`)
  }
  await connection.close()
}
