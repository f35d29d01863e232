import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, test } from 'vitest'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { joined } from '../src/backends/joined.ts'
import { MemoryStore, openMemory } from '../src/backends/memory/index.ts'
import { openRedis } from '../src/backends/redis/index.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import { silentLogger } from '../src/log.ts'
import type { ConformanceTarget } from '../src/testing/index.ts'
import { conformanceCases, LeastPowerServer, runCase, VirtualClock } from '../src/testing/index.ts'
import { needs } from './servers.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-conformance-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

/** A target on a virtual clock of its own, anew at each open. */
function target(
  name: string,
  fresh: (options: BackendOptions) => Promise<Backend>,
  again?: (options: BackendOptions) => Promise<Backend>,
  isRemote = false,
): ConformanceTarget {
  let clock = new VirtualClock()
  let backend: Backend | undefined
  const options = (overrides?: Partial<BackendOptions>): BackendOptions => ({
    clock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 5000,
    ...overrides,
  })
  return {
    name,
    virtual: true,
    open: async (overrides) => {
      clock = new VirtualClock()
      backend = await fresh(options(overrides))
      return backend
    },
    ...(again === undefined
      ? {}
      : { reopen: (overrides?: Partial<BackendOptions>) => again(options(overrides)) }),
    advance: (ms) => (isRemote && ms <= 60_000 ? passSlowly(clock, ms, backend) : clock.advance(ms)),
    now: () => clock.now(),
  }
}

/** What time alone moves is moved at its very instant, though a server has to be asked for it. */
async function passSlowly(clock: VirtualClock, ms: number, backend: Backend | undefined): Promise<void> {
  const until = clock.now() + ms
  for (let at = clock.nextAt(); at !== undefined && at <= until; at = clock.nextAt()) {
    await clock.advance(Math.max(0, at - clock.now()))
    await backend?.ledger?.depth('nothing')
  }
  await clock.advance(Math.max(0, until - clock.now()))
}

const file = (): string => join(folder, `${files}.db`)
let server = new LeastPowerServer()

async function pair(options: BackendOptions): Promise<Backend> {
  const { ledger, documents } = await openSqlite(file(), options)
  if (ledger === undefined) throw new Error('SQLite has no ledger')
  return joined(server.connect(), ledger, options, documents)
}

let store: MemoryStore | undefined

const redis = await needs('redis', startRedis)
const redisUrl = (): string => `127.0.0.1:${redis?.port}?prefix=case-${files}`

const targets = [
  target(
    'memory',
    async (options) => {
      store = new MemoryStore(options)
      return openMemory(options, store)
    },
    async (options) => openMemory(options, store),
  ),
  target(
    'sqlite',
    (options) => {
      files++
      return openSqlite(file(), options)
    },
    (options) => openSqlite(file(), options),
  ),
  ...(redis === undefined
    ? []
    : [
        target(
          'redis',
          (options) => {
            files++
            return openRedis(redisUrl(), false, options)
          },
          (options) => openRedis(redisUrl(), false, options),
          true,
        ),
      ]),
  target(
    'joined (least power + sqlite)',
    (options) => {
      files++
      server = new LeastPowerServer(files)
      return pair(options)
    },
    pair,
  ),
]

for (const one of targets) {
  describe(one.name, () => {
    for (const each of conformanceCases) {
      test(`${each.group}: ${each.name}`, async (context) => {
        const skipped = await runCase(each, one)
        if (skipped !== undefined) context.skip(skipped.skipped)
      })
    }
  })
}
