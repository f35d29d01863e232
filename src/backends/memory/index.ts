import type { BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import type { DatabaseBackend } from '../database.ts'
import { databaseBackend } from '../database.ts'
import { MemoryLedger } from './ledger.ts'
import { MemoryStore } from './store.ts'

export { MemoryLedger, MemoryStore }

/** Memory can do everything but outlive its process. */
export const features: Features = {
  acknowledge: 'each',
  redeliver: 'lease',
  delayMs: Number.POSITIVE_INFINITY,
  priorities: 10,
  ordered: true,
  dedupMs: Number.POSITIVE_INFINITY,
  fenced: true,
  maxMessageBytes: Number.POSITIVE_INFINITY,
  maxBatch: Number.POSITIVE_INFINITY,
  exactDepth: true,
}

/** Opens a store in this process's memory, for tests and for work that may be lost; a new one unless `store` is given. */
export function openMemory(
  options: BackendOptions,
  store: MemoryStore = new MemoryStore(options),
): DatabaseBackend {
  return databaseBackend('memory', features, new MemoryLedger(store), store.wake)
}
