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
 * `path?synchronous=normal` accepts without an fsync: what was accepted last may be gone after a power cut.
 * @throws BackendError BACKEND_UNAVAILABLE, BACKEND_READ_ONLY, BACKEND_CORRUPT, BACKEND_NEWER; URL_UNKNOWN
 */
export async function openSqlite(path: string, options: BackendOptions): Promise<Backend> {
  if (path === '' || path.includes('\0'))
    throw new OffloadError('URL_UNKNOWN', 'sqlite: needs the path of a file, e.g. sqlite:offload.db')
  const { file, synced } = locate(path)
  const wake = new Wake(options.clock)
  return databaseBackend(
    'sqlite',
    features,
    new SqliteLedger(new Connection(file, options.timeoutMs, synced), wake, options),
    wake,
  )
}

function locate(location: string): { file: string; synced: boolean } {
  const [path = '', query] = location.split('?', 2)
  const parameters = new URLSearchParams(query)
  const synchronous = parameters.get('synchronous') ?? 'full'
  const others = [...parameters.keys()].filter((name) => name !== 'synchronous')
  if (path === '' || others.length > 0 || (synchronous !== 'full' && synchronous !== 'normal')) {
    throw new OffloadError(
      'URL_UNKNOWN',
      `sqlite:${location} cannot be read: it is sqlite:path, or sqlite:path?synchronous=normal to accept without an fsync`,
    )
  }
  return { file: path === ':memory:' ? path : resolve(path), synced: synchronous === 'full' }
}
