import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Logger } from 'offload'
import { offload, task } from 'offload'
import { describe, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { startRedis } from '../scripts/servers/redis.ts'
import type { RedisServer } from '../scripts/servers/server.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const PASSWORD = 'sesame-open'
const IN_MEMORY = ['--save', '', '--appendonly', 'no']

const ran: string[] = []
const job = task('errors.job', {
  input: z.string(),
  run: (name) => {
    ran.push(name)
  },
})

const isMissing = (await needs('redis', startRedis)) === undefined

async function server(settings?: readonly string[], tls = false): Promise<RedisServer> {
  const started = await startRedis(settings, { tls })
  if (started === undefined) throw new Error('no Redis here: install redis-server')
  return started
}

const open = (url: string, logger: Logger = silentLogger) =>
  offload({ url, tasks: [job], logger, limits: { timeout: '1s' } })

/** What `ready()` says: its code and its message, which shows no password. */
async function refused(url: string): Promise<string> {
  await using queue = open(url)
  const error = await queue.ready().then(
    () => new Error('it is ready'),
    (error: Error & { code?: string }) => error,
  )
  expect(error.message).not.toContain(PASSWORD)
  return `${'code' in error ? error.code : ''}: ${error.message}`
}

/** A worker that cannot begin says so, and begins by itself once the cause is gone. */
async function recovers(url: string, mend: () => Promise<unknown>, direct = url): Promise<void> {
  await using queue = open(url)
  const worker = queue.work()
  await vi.waitFor(() => expect(worker.health().state).toBe('degraded'), { timeout: 10_000 })
  expect(worker.health().reason).not.toContain(PASSWORD)
  await mend()
  await using producer = open(direct)
  const { id } = await producer.enqueue(job, url)
  await vi.waitFor(() => expect(ran).toContain(url), { timeout: 20_000 })
  await vi.waitFor(async () => expect((await producer.get(id))?.state).toBe('done'))
  expect(worker.health().state).toBe('running')
}

async function warnings(redis: RedisServer): Promise<string[]> {
  const said: string[] = []
  const logger = { ...silentLogger, warn: (_: object, text: string) => void said.push(text) }
  await using queue = open(redis.url, logger)
  await queue.ready()
  return said
}

describe.skipIf(isMissing)('who may not', () => {
  test('is told of a wrong or missing password, and a worker begins when it is right', async () => {
    await using redis = await server([...IN_MEMORY, '--requirepass', 'another'])
    const url = `redis://:${PASSWORD}@127.0.0.1:${redis.port}`
    expect(await refused(url)).toMatch(/^BACKEND_UNAVAILABLE: .*check the user and password in the url/)
    expect(await refused(`redis://127.0.0.1:${redis.port}`)).toMatch(
      /^BACKEND_UNAVAILABLE: .*check the user and password in the url/,
    )
    await recovers(url, () => redis.ask('config', 'set', 'requirepass', PASSWORD))
  })

  test.each([
    ['a command', ['~*', '&*', '+@all', '-evalsha', '-eval']],
    ['a command within the scripts', ['~*', '&*', '+@all', '-zrange']],
    ['the keys of the prefix', ['~other:*', '&*', '+@all']],
    ['the channels of the prefix', ['~*', '&other:*', '+@all']],
  ])('is told of a user without %s, and a worker begins when it is granted', async (_, rights) => {
    await using redis = await server()
    await redis.ask('acl', 'setuser', 'app', 'on', `>${PASSWORD}`, ...rights)
    const url = `redis://app:${PASSWORD}@127.0.0.1:${redis.port}`
    expect(await refused(url)).toMatch(/^BACKEND_UNAVAILABLE: .*grant it ~\{offload\}:\* &\{offload\}:\*/)
    await recovers(url, () => redis.ask('acl', 'setuser', 'app', 'allkeys', 'allchannels', '+@all'))
  })
})

describe.skipIf(isMissing)('where no usable server is', () => {
  test('a port that nobody listens on is named, and a worker begins when the server does', async () => {
    await using redis = await server()
    await redis.kill()
    expect(await refused(redis.url)).toMatch(
      /^BACKEND_UNAVAILABLE: .*ECONNREFUSED.*check that the server runs, and its port/,
    )
    await recovers(redis.url, () => redis.restart())
  })

  test('an unknown host is named', async () => {
    expect(await refused(`redis://:${PASSWORD}@no-such-host.invalid`)).toMatch(
      /^BACKEND_UNAVAILABLE: .*check the host in the url/,
    )
  })

  test('TLS to a plain port, plain to a TLS port and a certificate that is not trusted are told apart from a dead server', async () => {
    await using redis = await server(undefined, true)
    if (redis.tls === undefined) throw new Error('no TLS')
    expect(await refused(`rediss://:${PASSWORD}@127.0.0.1:${redis.port}`)).toMatch(
      /^BACKEND_UNAVAILABLE: .*rediss:/,
    )
    expect(await refused(`redis://:${PASSWORD}@127.0.0.1:${redis.tls.port}`)).toMatch(
      /^BACKEND_UNAVAILABLE: .*rediss:/,
    )
    expect(await refused(redis.tls.url)).toMatch(/^BACKEND_UNAVAILABLE: .*certificate.*NODE_EXTRA_CA_CERTS/)
  })

  test('a server of another kind is not waited for longer than the timeout', async () => {
    const web = createServer((_, response) => void response.end()).listen(0, '127.0.0.1')
    await once(web, 'listening')
    const { port } = web.address() as AddressInfo
    expect(await refused(`redis://127.0.0.1:${port}`)).toMatch(
      /^BACKEND_UNAVAILABLE: .*check that a redis server is at the host and port/,
    )
    web.closeAllConnections()
    web.close()
  })

  test('a replica is refused, and a worker begins when it is made master', async () => {
    await using master = await server()
    await using replica = await server()
    await replica.ask('replicaof', '127.0.0.1', String(master.port))
    await vi.waitFor(
      async () => expect(await replica.ask('info', 'replication')).toContain('master_link_status:up'),
      { timeout: 10_000 },
    )
    expect(await refused(replica.url)).toMatch(
      /^BACKEND_READ_ONLY: .*is a replica; name the master, or the sentinels/,
    )
    await recovers(replica.url, () => replica.ask('replicaof', 'no', 'one'))
  })
})

describe.skipIf(isMissing)('what is in the server', () => {
  test('keys of something else under the prefix are refused, and nothing is changed', async () => {
    await using redis = await server()
    await redis.ask('set', '{offload}:meta', 'mine')
    expect(await refused(redis.url)).toMatch(/^BACKEND_CORRUPT: .*choose another \?prefix=/)
    expect(await redis.ask('keys', '*')).toBe('{offload}:meta')
    await recovers(redis.url, () => redis.ask('del', '{offload}:meta'))
  })

  test('keys of a newer release are refused, and nothing is changed', async () => {
    await using redis = await server()
    await redis.ask('hset', '{offload}:meta', 'version', '99')
    expect(await refused(redis.url)).toMatch(/^BACKEND_NEWER: .*upgrade offload here/)
    expect(await redis.ask('hgetall', '{offload}:meta')).toBe('version\n99')
  })

  test('a job that waits in a full server can be cancelled', async () => {
    await using redis = await server()
    await using queue = open(redis.url)
    const waiting = await queue.enqueue(job, 'never run')
    await redis.ask('config', 'set', 'maxmemory', '1')
    await expect(queue.enqueue(job, 'one more')).rejects.toMatchObject({ code: 'BACKEND_FULL' })
    expect(await waiting.cancel()).toBe('cancelled')
    expect((await queue.get(waiting.id))?.state).toBe('cancelled')
  })

  test('settings that weaken a promise are warned of, and only those', async () => {
    await using weak = await server([...IN_MEMORY, '--maxmemory-policy', 'allkeys-lru'])
    expect(await warnings(weak)).toEqual([
      expect.stringContaining('set it to noeviction'),
      expect.stringContaining('set appendonly yes'),
    ])
    await using sound = await server(['--save', '', '--appendonly', 'yes'])
    expect(await warnings(sound)).toEqual([])
  })
})
