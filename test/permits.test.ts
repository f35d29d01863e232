import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, describe, expect, test } from 'vitest'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Backend, BackendOptions } from '../src/backend.ts'
import { MemoryLedger, MemoryStore } from '../src/backends/memory/index.ts'
import { openRedis } from '../src/backends/redis/index.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import type { Job } from '../src/job/job.ts'
import type { Ledger } from '../src/ledger.ts'
import { LeastPowerServer } from '../src/testing/index.ts'
import type { OpenLedger } from './permits/world.ts'
import { calls, queues, World } from './permits/world.ts'
import { needs } from './servers.ts'

const SWEEP_MS = 250
const LONGEST_DELAY_MS = 400
/** A message that was lost, or a publication that a crash cut short, costs no more. */
const FOUND_MS = 11_000

const folder = mkdtempSync(join(tmpdir(), 'offload-permits-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let stores = 0
const redis = await needs('redis', startRedis)

/** Each answers how to open one more connection to a new store. */
const kinds: readonly (readonly [name: string, runs: number, fresh: () => OpenLedger])[] = [
  [
    'memory',
    300,
    () => {
      let store: MemoryStore | undefined
      return (options) => {
        store ??= new MemoryStore(options)
        return new MemoryLedger(store)
      }
    },
  ],
  [
    'sqlite',
    40,
    () => {
      const path = join(folder, `${++stores}.db`)
      return (options) => ledgerOf(openSqlite(path, options))
    },
  ],
  ...(redis === undefined
    ? []
    : [
        [
          'redis',
          20,
          () => {
            const location = `127.0.0.1:${redis.port}?prefix=permits-${++stores}`
            return (options: BackendOptions) => ledgerOf(openRedis(location, false, options))
          },
        ] as const,
      ]),
]

async function ledgerOf(opening: Promise<Backend>): Promise<Ledger> {
  const { ledger } = await opening
  if (ledger === undefined) throw new Error('a database has a ledger')
  return ledger
}

const host = fc.nat({ max: 1 })
const queue = fc.constantFrom('q', 'q', ...queues)
const kind: fc.Arbitrary<Partial<Job> & { delay?: number }> = fc.record(
  {
    priority: fc.integer({ min: 0, max: 9 }),
    queue,
    key: fc.constantFrom('k', 'l'),
    delay: fc.nat({ max: LONGEST_DELAY_MS }),
  },
  { requiredKeys: ['priority'] },
)

const quietCommand = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.tuple(fc.constant('enqueue'), host, fc.array(kind, { minLength: 1, maxLength: 4 })),
  },
  {
    weight: 6,
    arbitrary: fc.tuple(fc.constant('claim'), host, fc.tuple(queue, fc.integer({ min: 1, max: 4 }))),
  },
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant('settle'),
      host,
      fc.tuple(fc.nat({ max: 9 }), fc.constantFrom('done', 'release', 'retry', 'soon', 'dead')),
    ),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constantFrom('cancel', 'retry'), host, fc.nat({ max: 20 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('pause', 'resume'), host, queue) },
  {
    weight: 3,
    arbitrary: fc.tuple(fc.constant('hold'), host, fc.subarray([...calls], { minLength: 1, maxLength: 2 })),
  },
  { weight: 1, arbitrary: fc.tuple(fc.constant('open'), host, fc.constant(0)) },
  { weight: 4, arbitrary: fc.tuple(fc.constant('step'), host, fc.integer({ min: 1, max: 3 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('pass'), host, fc.integer({ min: 1, max: 600 })) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('drop', 'down', 'up'), host, fc.constant(0)) },
)

const anyCommand = fc.oneof(
  { weight: 10, arbitrary: quietCommand },
  { weight: 1, arbitrary: fc.tuple(fc.constant('crash'), host, fc.constant(0)) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('lose'), host, fc.constant(0)) },
  { weight: 2, arbitrary: fc.tuple(fc.constantFrom('refuse', 'silence', 'take'), host, queue) },
  { weight: 1, arbitrary: fc.tuple(fc.constant('back'), host, fc.constantFrom(1, 3000, 3_600_000)) },
)

type Command = readonly [name: string, host: number, what: unknown]

async function run(world: World, [name, host, what]: Command): Promise<void> {
  const now = world.now()
  switch (name) {
    case 'enqueue':
      return world.enqueue(
        host,
        (what as (Partial<Job> & { delay?: number })[]).map(({ delay, ...job }) => ({
          ...job,
          ...(delay === undefined ? {} : { runAt: now + delay }),
        })),
      )
    case 'claim': {
      const [queue, limit] = what as [string, number]
      await world.claim(host, queue, limit)
      return
    }
    case 'settle': {
      const [which, how] = what as [number, string]
      const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'x', attempt: 1, at: now }
      if (how === 'done' || how === 'release') return world.settle(host, which, { type: how })
      if (how === 'dead') return world.settle(host, which, { type: how, fault })
      return world.settle(host, which, { type: 'retry', runAt: now + (how === 'soon' ? 100 : 0), fault })
    }
    case 'cancel':
    case 'retry':
      return world.act(host, { type: name, ids: [world.anId(what as number)] })
    case 'pause':
    case 'resume':
      return world.act(host, { type: name, queue: what as string })
    case 'hold':
      return world.gate(host).hold(what as (typeof calls)[number][])
    case 'open':
    case 'step':
      if (name === 'open') world.gate(host).open()
      else world.gate(host).step(what as number)
      return world.quiet()
    case 'pass':
      return world.advance(what as number)
    case 'drop':
      world.server.dropConnections()
      return world.quiet()
    case 'crash':
      return world.crash(host)
    case 'down':
    case 'up':
      world.server.down = name === 'down'
      return world.quiet()
    case 'refuse':
      world.server.refusing.add(what as string)
      return
    case 'silence':
      world.server.silent.add(what as string)
      return
    case 'take':
      world.server.refusing.delete(what as string)
      world.server.silent.delete(what as string)
      return
    case 'back':
      return world.setBack(what as number)
    case 'lose':
      world.server.loseAll()
  }
}

/** Nobody is stopped any more, no queue is paused and no delay runs: what idle workers do not claim so much later. */
async function leftBehind(world: World, afterMs: number): Promise<string[]> {
  await world.free()
  await world.advance(LONGEST_DELAY_MS)
  await world.advance(afterMs)
  for (const queue of queues) while ((await world.claim(0, queue, 3)) > 0);
  return world.claimable()
}

async function holds(
  fresh: () => OpenLedger,
  server: LeastPowerServer,
  commands: readonly Command[],
  withinMs: number,
) {
  const world = await World.open(server, fresh())
  try {
    for (const command of commands) await run(world, command)
    expect(await leftBehind(world, withinMs)).toEqual([])
  } finally {
    await world.close()
  }
}

/** Messages that come twice hide one that is missing: half of the servers repeat none. */
const server = fc
  .tuple(fc.nat({ max: 1000 }), fc.constantFrom(0, 0.1))
  .map(([seed, again]) => ({ seed, again }))

describe.each(kinds)('on %s', (_, numRuns, fresh) => {
  test('a job that can start is claimed within one sweep, whichever permits others have spent', async () => {
    await fc.assert(
      fc.asyncProperty(
        server,
        fc.array(quietCommand, { maxLength: 40, size: 'max' }),
        ({ seed, again }, commands) => holds(fresh, new LeastPowerServer(seed, again), commands, SWEEP_MS),
      ),
      { numRuns },
    )
  }, 120_000)

  test('whose permit brings a more urgent job, not published yet, has another at once', async () => {
    const world = await World.open(new LeastPowerServer(1, 0), fresh())
    await world.enqueue(0, [{ priority: 1 }])
    world.gate(0).hold(['outbox'])
    await world.enqueue(0, [{ priority: 9 }])
    expect(await world.claim(1, 'q', 1)).toBe(1)
    expect(await world.claimable()).toEqual(['job-1'])
    expect(await world.claim(1, 'q', 1)).toBe(1)
    expect(await world.claimable()).toEqual([])
    await world.close()
  })

  test('what a queue refuses for a moment is published soon after, and what it refuses for long holds up no other', async () => {
    const world = await World.open(new LeastPowerServer(1, 0), fresh())
    /** How many can be claimed soon after the queue refused for so long. */
    const afterRefusing = async (ms: number): Promise<number> => {
      world.server.refusing.add('q')
      await world.enqueue(0, [{ queue: 'q' }, { queue: 'other' }])
      await world.advance(ms)
      expect(await world.claim(1, 'other', 1)).toBe(1)
      world.server.refusing.delete('q')
      await world.advance(2 * SWEEP_MS)
      return world.claim(1, 'q', 1)
    }
    expect(await afterRefusing(1000)).toBe(1)
    expect(await afterRefusing(4000), 'a full queue is not asked all the time').toBe(0)
    await world.advance(5000)
    expect(await world.claim(1, 'q', 1)).toBe(1)
    await world.close()
  })

  test('a queue about which the server says nothing holds up no other', async () => {
    const world = await World.open(new LeastPowerServer(1, 0), fresh())
    world.server.silent.add('q')
    // More than a batch holds.
    const many = Array.from({ length: 150 }, () => ({ queue: 'q' }))
    await world.enqueue(0, many)
    await world.advance(2 * SWEEP_MS)
    await world.enqueue(0, [{ queue: 'other' }])
    await world.advance(2 * SWEEP_MS)
    expect(await world.claim(1, 'other', 1)).toBe(1)
    world.server.silent.delete('q')
    await world.advance(6000)
    expect(await world.claim(1, 'q', 200)).toBe(150)
    await world.close()
  })

  test('a job that can start is claimed soon after a crash, a loss of messages or a refusal', async () => {
    await fc.assert(
      fc.asyncProperty(
        server,
        fc.array(anyCommand, { maxLength: 40, size: 'max' }),
        ({ seed, again }, commands) => holds(fresh, new LeastPowerServer(seed, again), commands, FOUND_MS),
      ),
      { numRuns },
    )
  }, 120_000)
})
