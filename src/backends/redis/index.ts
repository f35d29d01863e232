import type { Redis } from 'ioredis'
import type { Backend, BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import { OffloadError } from '../../job/errors.ts'
import { databaseBackend } from '../database.ts'
import type { Client } from './client.ts'
import { clientMaker, duplicates } from './client.ts'
import { Connection } from './connection.ts'
import { Hints } from './hints.ts'
import { RedisLedger } from './ledger.ts'
import type { Durability } from './location.ts'
import { checkPrefix, locate } from './location.ts'
import { checkStore } from './schema.ts'

export type { Client } from './client.ts'

/** Redis can do everything by itself. */
export const features: Features = {
  acknowledge: 'each',
  redeliver: 'lease',
  delayMs: Number.POSITIVE_INFINITY,
  priorities: 10,
  ordered: true,
  dedupMs: Number.POSITIVE_INFINITY,
  fenced: true,
  maxMessageBytes: 500_000_000,
  maxBatch: 1000,
  exactDepth: true,
  overlaps: true,
}

/**
 * Opens a store in Redis 6.2 or newer, or Valkey: broker and ledger, shared by every process that names it. Two connections a
 * process, whatever the number of queues and workers. @param rest the URL without `redis:` and slashes; see {@link locate}
 * @throws BackendError BACKEND_UNAVAILABLE, BACKEND_NEWER, BACKEND_CORRUPT; OPTION_INVALID; CAPABILITY_MISSING
 */
export async function openRedis(rest: string, tls: boolean, options: BackendOptions): Promise<Backend> {
  const at = locate(rest, tls)
  return opened(await clientMaker(at, options.timeoutMs), at.prefix, at, options)
}

export interface RedisOptions extends Partial<Durability> {
  /** All keys begin with `{prefix}:`; `offload` unless told otherwise. */
  readonly prefix?: string
}

/**
 * A client of one's own instead of a URL: `offload({ url: redis(client) })`, for settings that no URL has. It is duplicated,
 * twice a process, with what Offload needs set (no offline queue, nothing sent again behind its back); the client itself is
 * left alone, and stays its owner's to close. @throws OPTION_INVALID unless it is a client of ioredis
 */
export function redis(
  client: Client,
  { prefix = 'offload', replicas = 0, fsynced = 0 }: RedisOptions = {},
): { open(options: BackendOptions): Promise<Backend> } {
  if (typeof client?.duplicate !== 'function')
    throw new OffloadError('OPTION_INVALID', 'redis() needs a client of ioredis: redis(new Redis(...))')
  checkPrefix(prefix)
  return {
    open: async (options) =>
      opened(await duplicates(client, prefix, options.timeoutMs), prefix, { replicas, fsynced }, options),
  }
}

async function opened(
  make: () => Redis,
  prefix: string,
  sure: Durability,
  options: BackendOptions,
): Promise<Backend> {
  const base = `{${prefix}}:`
  const connection = new Connection(make(), base, sure, options)
  try {
    await connection.open()
    await checkStore(connection, sure, options.logger)
  } catch (error) {
    connection.close()
    throw error
  }
  const hints = new Hints(make, base, options)
  return databaseBackend('redis', features, new RedisLedger(connection, hints, options), hints)
}
