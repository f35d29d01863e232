import { resolve } from 'node:path'
import type { Backend, BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import { OffloadError } from '../../job/errors.ts'
import { databaseBackend } from '../database.ts'
import { Wake } from '../wake.ts'
import { Connection } from './connection.ts'
import { SqliteLedger } from './ledger.ts'

/** A file can do everything by itself. */
export const features: Features = {
  acknowledge: 'each',
  redeliver: 'lease',
  delayMs: Number.POSITIVE_INFINITY,
  priorities: 10,
  ordered: true,
  dedupMs: Number.POSITIVE_INFINITY,
  fenced: true,
  maxMessageBytes: 500_000_000,
  maxBatch: 10_000,
  exactDepth: true,
}

/**
 * Opens (and makes) a store in one file: broker and ledger, shared by every process of this host that opens it.
 * @throws BackendError BACKEND_UNAVAILABLE, BACKEND_READ_ONLY, BACKEND_CORRUPT, BACKEND_NEWER
 */
export async function openSqlite(path: string, options: BackendOptions): Promise<Backend> {
  if (path === '' || path.includes('\0'))
    throw new OffloadError('URL_UNKNOWN', 'sqlite: needs the path of a file, e.g. sqlite:offload.db')
  const wake = new Wake(options.clock)
  const file = path === ':memory:' ? path : resolve(path)
  return databaseBackend(
    'sqlite',
    features,
    new SqliteLedger(new Connection(file, options.timeoutMs), wake, options),
    wake,
  )
}
