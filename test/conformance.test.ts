import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { MemoryStore, openMemory } from '../src/backends/memory/index.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import { LeastPowerServer } from '../src/testing/index.ts'
import { conforms } from './conformance/target.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

const file = (): string => join(folder, `${files}.db`)
let server = new LeastPowerServer()

async function pair(options: BackendOptions): Promise<Backend> {
  const { ledger, documents } = await openSqlite(file(), options)
  if (ledger === undefined) throw new Error('SQLite has no ledger')
  return joined(server.connect(), ledger, options, documents)
}

let store: MemoryStore | undefined

conforms('memory', {
  fresh: async (options) => {
    store = new MemoryStore(options)
    return openMemory(options, store)
  },
  again: async (options) => openMemory(options, store),
})

conforms('sqlite', {
  fresh: (options) => {
    files++
    return openSqlite(file(), options)
  },
  again: (options) => openSqlite(file(), options),
})

conforms('joined (least power + sqlite)', {
  fresh: (options) => {
    files++
    server = new LeastPowerServer(files)
    return pair(options)
  },
  again: pair,
  publishAsStranger: async (job) => server.publishAsStranger(job),
})
