import { startRedis } from '../scripts/servers/redis.ts'
import { startValkey } from '../scripts/servers/valkey.ts'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
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
    return joined(server.connect(), ledger, options, documents)
  }
  return {
    ...ledgers,
    fresh: (options) => {
      server = new LeastPowerServer(++cases)
      return pair(ledgers.fresh(options), options)
    },
    again: (options) => pair(ledgers.again(options), options),
    publishAsStranger: async (job) => server.publishAsStranger(job),
  }
}
