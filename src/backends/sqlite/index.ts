import type { Backend, BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import { databaseBackend } from '../database.ts'
import { Wake } from '../wake.ts'
import { Connection } from './connection.ts'
import { SqliteLedger } from './ledger.ts'
import { locate } from './location.ts'

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
 * `path?synchronous=normal` accepts without an fsync: what was accepted last may be gone after a power cut.
 * @throws BackendError BACKEND_UNAVAILABLE, BACKEND_READ_ONLY, BACKEND_CORRUPT, BACKEND_NEWER; URL_UNKNOWN
 */
export async function openSqlite(path: string, options: BackendOptions): Promise<Backend> {
  const { file, synced } = locate(path)
  const wake = new Wake(options.clock)
  return databaseBackend(
    'sqlite',
    features,
    new SqliteLedger(new Connection(file, options.timeoutMs, synced), wake, options),
    wake,
  )
}
