import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { startRedis } from '../scripts/servers/redis.ts'
import { needs } from './servers.ts'

const run = promisify(execFile)
const root = join(import.meta.dirname, '..')

const redis = await needs('redis', startRedis)

describe.skipIf(redis === undefined)('the example shop on Redis', () => {
  test('keeps every promise beside what an earlier run has left, and leaves nothing itself', async () => {
    await redis?.ask('hset', '{shop}:jobs', 'offload-1', 'of another run')
    const demo = ['--conditions=offload-source', 'examples/shop/demo.ts', '--short']
    const env = { ...process.env, OFFLOAD_URL: `${redis?.url}/0?prefix=shop` }
    const { stdout } = await run(process.execPath, demo, { cwd: root, env })
    expect(stdout).toContain('Every promise was kept.')
    expect(await redis?.ask('keys', '*')).toBe('{shop}:jobs')
    expect(await redis?.ask('info', 'commandstats')).toMatch(/cmdstat_evalsha:calls=\d{3}/)
  }, 90_000)
})
