import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Backend, BackendOptions } from '../../src/backend.ts'
import { joined } from '../../src/backends/joined.ts'
import { openRabbit } from '../../src/backends/rabbitmq/index.ts'
import { openSqlite } from '../../src/backends/sqlite/index.ts'
import type { Stores } from './target.ts'

/** Ledgers beside messages of one RabbitMQ, each case under a prefix of its own. @param at host and port */
export function besideRabbit(at: string, name: string, ledgers: Stores, query = ''): Stores {
  let cases = 0
  const pair = async (opening: Promise<Backend>, options: BackendOptions): Promise<Backend> => {
    const { ledger, documents } = await opening
    if (ledger === undefined) throw new Error(`${name} has no ledger`)
    const { broker } = await openRabbit(`${at}?prefix=${name}-${cases}${query}`, false, options)
    return joined(broker, ledger, options, documents)
  }
  return {
    ...ledgers,
    fresh: (options) => {
      cases++
      return pair(ledgers.fresh(options), options)
    },
    again: (options) => pair(ledgers.again(options), options),
  }
}

/** RabbitMQ with no ledger. */
export function rabbitAlone(at: string, name: string, query = ''): Stores {
  let cases = 0
  const open = (options: BackendOptions): Promise<Backend> =>
    openRabbit(`${at}?prefix=${name}-${cases}${query}`, false, { ...options, alone: true })
  return {
    fresh: (options) => {
      cases++
      return open(options)
    },
    again: open,
    isReal: true,
  }
}

/** Files in a folder of their own. */
export function sqliteStores(): Stores {
  const folder = mkdtempSync(join(tmpdir(), 'offload-conformance-'))
  let files = 0
  const file = (): string => join(folder, `${files}.db`)
  return {
    fresh: (options) => {
      files++
      return openSqlite(file(), options)
    },
    again: (options) => openSqlite(file(), options),
  }
}
