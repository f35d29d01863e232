import type { Backend, BackendOptions } from '../../backend.ts'
import type { Features } from '../../broker.ts'
import { databaseBackend } from '../database.ts'
import { Wake } from '../wake.ts'
import { MemoryLedger } from './ledger.ts'

const features: Features = {
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

/** Opens an empty store in this process's memory: for tests, gone with the process. */
export function openMemory(options: BackendOptions): Backend {
  const wake = new Wake(options.clock)
  return databaseBackend('memory', features, new MemoryLedger(wake, options), wake)
}
