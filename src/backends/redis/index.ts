import type { Backend, BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import { databaseBackend } from '../database.ts'
import { clientMaker } from './client.ts'
import { Connection } from './connection.ts'
import { Hints } from './hints.ts'
import { RedisLedger } from './ledger.ts'
import { locate } from './location.ts'
import { checkStore } from './schema.ts'

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
}

/**
 * Opens a store in Redis 6.2 or newer, or Valkey: broker and ledger, shared by every process that names it. Two connections a
 * process, whatever the number of queues and workers. @param rest the URL without `redis:` and slashes; see {@link locate}
 * @throws BackendError BACKEND_UNAVAILABLE, BACKEND_NEWER, BACKEND_CORRUPT; OPTION_INVALID; CAPABILITY_MISSING
 */
export async function openRedis(rest: string, tls: boolean, options: BackendOptions): Promise<Backend> {
  const at = locate(rest, tls)
  const make = await clientMaker(at, options.timeoutMs)
  const base = `{${at.prefix}}:`
  const connection = new Connection(make(), base, at, options)
  try {
    await connection.open()
    await checkStore(connection, at, options.logger)
  } catch (error) {
    connection.close()
    throw error
  }
  const hints = new Hints(make, base, options)
  return databaseBackend('redis', features, new RedisLedger(connection, hints, options), hints)
}
