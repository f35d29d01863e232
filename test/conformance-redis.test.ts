import { setImmediate as turn } from 'node:timers/promises'
import { startRedis } from '../scripts/servers/redis.ts'
import { startValkey } from '../scripts/servers/valkey.ts'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import type { Ledger } from '../src/ledger.ts'
import { LeastPowerServer } from '../src/testing/index.ts'
import { redisStores } from './conformance/redis.ts'
import type { Stores } from './conformance/target.ts'
import { conforms } from './conformance/target.ts'
import { needs } from './servers.ts'

const redis = await needs('redis', startRedis)
const valkey = await needs('valkey', startValkey)

if (redis !== undefined) {
  conforms('redis', redisStores(`127.0.0.1:${redis.port}`))
  conforms('joined (least power + redis)', besideMessages(redisStores(`127.0.0.1:${redis.port}/1`)))
}
if (valkey !== undefined) conforms('valkey', redisStores(`127.0.0.1:${valkey.port}`))

/** The stores as ledgers beside a server that only moves messages. */
function besideMessages(ledgers: Stores): Stores {
  let cases = 0
  let server = new LeastPowerServer()
  const pair = async (opening: Promise<Backend>, options: BackendOptions): Promise<Backend> => {
    const { ledger, documents } = await opening
    if (ledger === undefined) throw new Error('Redis has no ledger')
    const atRest = sweepsOf(ledger)
    const { broker, ...backend } = joined(server.connect(), ledger, options, documents)
    return {
      ...backend,
      broker: { ...broker, claim: (queue, want) => atRest().then(() => broker.claim(queue, want)) },
    }
  }
  return {
    ...ledgers,
    fresh: (options) => {
      server = new LeastPowerServer(++cases)
      return pair(ledgers.fresh(options), options)
    },
    again: (options) => pair(ledgers.again(options), options),
  }
}

/**
 * Waits until the ledger is no longer asked what is due to be published. For as long as a permit which is spent on a job that
 * has no message yet leaves another job without one until the sweep looks for what was lost, which these cases do not wait for.
 */
function sweepsOf(ledger: Ledger): () => Promise<void> {
  let asking = 0
  const outbox = ledger.outbox.bind(ledger)
  ledger.outbox = async (want) => {
    asking++
    try {
      return await outbox(want)
    } finally {
      asking--
    }
  }
  return async () => {
    for (let quietTurns = 0; quietTurns < 3; quietTurns = asking > 0 ? 0 : quietTurns + 1) await turn()
  }
}
