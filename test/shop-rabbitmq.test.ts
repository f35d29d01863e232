import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { needs } from './servers.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

const rabbit = await needs('rabbitmq', startRabbit)
const redis = await needs('redis', startRedis)

describe.skipIf(rabbit === undefined || redis === undefined)('the example shop on RabbitMQ', () => {
  test.each([
    ['a file', {}],
    ['Redis', { OFFLOAD_LEDGER: `${redis?.url}/0?prefix=shop` }],
  ])(
    'keeps every promise with %s as its ledger, and leaves nothing',
    async (_, ledger) => {
      const demo = ['--conditions=offload-source', 'examples/shop/demo.ts', '--short']
      const env = { ...process.env, OFFLOAD_URL: `${rabbit?.url}?prefix=shop`, ...ledger }
      const { stdout } = await run(process.execPath, demo, { cwd: root, env })
      expect(stdout).toContain('Every promise was kept.')
      expect(await rabbit?.ctl('list_queues', '--quiet', 'name')).not.toContain('shop')
      expect(await rabbit?.ctl('list_exchanges', '--quiet', 'name')).not.toContain('shop')
      expect(await redis?.ask('keys', '*')).toBe('')
    },
    120_000,
  )
})
