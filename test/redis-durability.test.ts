import { spawnSync } from 'node:child_process'
import { offload, task } from 'offload'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Trial } from '../lab/redis/durability.ts'
import { count, trials } from '../lab/redis/durability.ts'
import { syncedSizes } from '../lab/redis/power.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { until } from '../scripts/servers/until.ts'
import { startValkey } from '../scripts/servers/valkey.ts'
import { silentLogger } from '../src/log.ts'
import { needs, own } from './servers.ts'

const isRedis = (await needs('redis', startRedis)) !== undefined
const isValkey = (await needs('valkey', startValkey)) !== undefined
const isTraced = spawnSync('strace', ['-f', 'true']).status === 0

const trialOf = (setting: string, blow: Trial['blow']): Trial => {
  const found = trials.find((trial) => trial.setting === setting && trial.blow === blow)
  if (found === undefined) throw new Error(`no trial of ${setting} by ${blow}`)
  return found
}

describe.skipIf(!isRedis)('what the lab counts of a server that is struck', () => {
  test('is all, where nothing is kept on disk', async () => {
    const { accepted, lost } = await count(trialOf('appendonly no', 'kill -9'), 1, () => 0)
    expect(accepted).toBeGreaterThan(0)
    expect(lost).toBeGreaterThan(accepted / 2)
  })

  test.skipIf(!isTraced)('is some after a power cut, where the disk is synced each second', async () => {
    const { lost } = await count(trialOf('appendfsync everysec', 'power cut'), 1, () => 0.2)
    expect(lost).toBeGreaterThan(0)
  })

  test.skipIf(!isTraced)('is nothing after a power cut, where each write is synced', async () => {
    const { accepted, lost } = await count(trialOf('appendfsync always', 'power cut'), 1, () => 0)
    expect(accepted).toBeGreaterThan(0)
    expect(lost).toBe(0)
  })
})

test('what was written while a sync went on, or after one that failed, is not taken for synced', () => {
  const file = '</data/appendonly.aof.1.incr.aof>'
  const calls = [
    `7 write(8${file}, ""..., 100) = 100`,
    `9 fdatasync(8${file} <unfinished ...>`,
    `7 write(8${file}, ""..., 30) = 30`,
    '9 <... fdatasync resumed>) = 0',
    `9 fdatasync(8${file}) = -1 EIO (Input/output error)`,
    `7 write(5<socket:[1]>, ""..., 5) = 5`,
  ]
  expect([...syncedSizes(calls.join('\n')).values()]).toEqual([100])
})

test.skipIf(!isValkey)(
  'a job that is known already is not confirmed before the replicas have it',
  async () => {
    const master = await own('valkey', startValkey)
    const replica = await own('valkey', startValkey)
    await replica.ask('replicaof', '127.0.0.1', String(master.port))
    await until('a replica that follows', async () =>
      (await replica.ask('info', 'replication')).includes('master_link_status:up'),
    )
    await replica.pause()
    const job = task('known', { input: z.string(), run: () => {} })
    const open = (query: string) =>
      offload({ url: `${master.url}${query}`, tasks: [job], logger: silentLogger, limits: { timeout: '1s' } })
    await using careless = open('')
    await careless.enqueue(job, '', { id: 'one' })
    await using careful = open('?replicas=1')
    await expect(careful.enqueue(job, '', { id: 'one' })).rejects.toMatchObject({
      code: 'BACKEND_UNAVAILABLE',
    })
    replica.continue()
    expect(await careful.enqueue(job, '', { id: 'one' })).toMatchObject({ duplicate: true })
  },
)
