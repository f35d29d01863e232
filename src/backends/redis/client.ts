import type { Cluster, Redis } from 'ioredis'
import { CapabilityError } from '../../job/errors.ts'
import type { Location } from './location.ts'

/** A client of the user, or ours: what both kinds of ioredis have. */
export type Client = Redis | Cluster

type Library = Pick<typeof import('ioredis'), 'Redis' | 'Cluster'>

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
  } as const
}

function retry(times: number): number {
  return Math.min(RETRY_MS * 2 ** Math.min(times, 10), LONGEST_RETRY_MS) * (0.5 + Math.random() / 2)
}

function clusterSettings(timeoutMs: number) {
  return {
    lazyConnect: true,
    enableOfflineQueue: false,
    clusterRetryStrategy: retry,
    retryDelayOnFailover: 100,
    retryDelayOnClusterDown: 200,
    slotsRefreshTimeout: timeoutMs,
  } as const
}

/** Copies of a client of the user. */
export function duplicates(client: Client, timeoutMs: number): () => Client {
  const { retryStrategy: _, ...own } = settings(timeoutMs)
  if ('nodes' in client) {
    const { clusterRetryStrategy: __, ...cluster } = clusterSettings(timeoutMs)
    const redisOptions = { ...client.options.redisOptions, ...own }
    const options = { ...cluster, redisOptions } as Parameters<Cluster['duplicate']>[1]
    return () => client.duplicate([], options)
  }
  return () => client.duplicate(own)
}

/** Makes clients of one server, cluster or group of sentinels. @throws CAPABILITY_MISSING where ioredis is not installed */
export async function clientMaker(at: Location, timeoutMs: number): Promise<() => Client> {
  const { Redis, Cluster } = await library()
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
      return () =>
        new Cluster(
          at.servers.map(({ host, port }) => ({ host, port })),
          {
            ...clusterSettings(timeoutMs),
            redisOptions: options,
          },
        )
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
