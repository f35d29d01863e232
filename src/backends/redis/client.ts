import type { Cluster, ClusterNode, Redis } from 'ioredis'
import { CapabilityError } from '../../job/errors.ts'
import type { Location } from './location.ts'
import { slotOf } from './slot.ts'
import { slotClients } from './slot-clients.ts'

/** A client of the user. Ours are of one server each, also in a cluster. */
export type Client = Redis | Cluster

type Library = Pick<typeof import('ioredis'), 'Redis' | 'AbstractConnector'>

/** First wait before a server is tried again, and the longest; each is shortened by up to a half at random. */
const RETRY_MS = 50
const LONGEST_RETRY_MS = 1000

/**
 * A call that is lost with its connection is rejected and never sent again behind our back, and a socket that says nothing
 * while it owes an answer is destroyed.
 */
function settings(timeoutMs: number) {
  return {
    lazyConnect: true,
    connectTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    autoResubscribe: false,
    maxRetriesPerRequest: 0,
    retryStrategy: retry,
    // The server's own guess of how long it reads its file is a second at the least.
    maxLoadingRetryTime: RETRY_MS,
    connectionName: 'offload',
    // Of a client of the user: the keys are ours, and so is what a reply looks like.
    keyPrefix: '',
    readOnly: false,
    replyMapping: 'legacy',
  } as const
}

function retry(times: number): number {
  return Math.min(RETRY_MS * 2 ** Math.min(times, 10), LONGEST_RETRY_MS) * (0.5 + Math.random() / 2)
}

/** Makes clients like that of the user. @throws CAPABILITY_MISSING where ioredis is not installed */
export async function duplicates(client: Client, prefix: string, timeoutMs: number): Promise<() => Redis> {
  const own = settings(timeoutMs)
  if (!('nodes' in client)) {
    // When a server is tried again stays the user's to say.
    const { retryStrategy: _, ...rest } = own
    return () => client.duplicate(rest)
  }
  const { startupNodes } = client as unknown as { startupNodes: readonly ClusterNode[] }
  const { redisOptions, natMap } = client.options
  const options = { ...redisOptions, ...own }
  return slotClients(await library(), { number: slotOf(prefix), seeds: startupNodes, options, natMap }, retry)
}

/** Makes clients of one server, cluster or group of sentinels. @throws CAPABILITY_MISSING where ioredis is not installed */
export async function clientMaker(at: Location, timeoutMs: number): Promise<() => Redis> {
  const lib = await library()
  const { Redis } = lib
  const options = {
    ...settings(timeoutMs),
    ...(at.username === undefined ? {} : { username: at.username }),
    ...(at.password === undefined ? {} : { password: at.password }),
    ...(at.tls ? { tls: {} } : {}),
    db: at.db,
  }
  const [first] = at.servers
  switch (at.mode) {
    case 'single':
      return () => new Redis({ ...options, host: first?.host ?? 'localhost', port: first?.port ?? 6379 })
    case 'sentinel':
      return () =>
        new Redis({
          ...options,
          sentinels: at.servers.map(({ host, port }) => ({ host, port })),
          name: at.master ?? '',
          sentinelRetryStrategy: retry,
          enableTLSForSentinelMode: at.tls,
          failoverDetector: true,
        })
    case 'cluster':
      return slotClients(lib, { number: slotOf(at.prefix), seeds: at.servers, options }, retry)
  }
}

async function library(): Promise<Library> {
  try {
    return await import('ioredis')
  } catch (error) {
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      'redis: needs the package ioredis: npm install ioredis@6',
      {
        cause: error,
      },
    )
  }
}
