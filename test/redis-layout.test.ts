import { Redis } from 'ioredis'
import { describe, expect, onTestFinished, test } from 'vitest'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Backend } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { openRedis } from '../src/backends/redis/index.ts'
import type { Claim } from '../src/broker.ts'
import type { Job } from '../src/job/job.ts'
import { silentLogger } from '../src/log.ts'
import { seeded } from '../src/testing/least-power-broker.ts'
import { VirtualClock } from '../src/testing/virtual-clock.ts'
import { jobOf as named } from './redis/job.ts'
import { needs } from './servers.ts'

const redis = await needs('redis', startRedis)
/**
 * What stays of an empty store: numbers, names of tasks and queues, and two streams without an entry. What a process claimed
 * last goes by its time.
 */
const STAYS = ['counts', 'events', 'kindnumbers', 'kinds', 'lanes', 'meta', 'order']
const RETENTION = { ...defaultRetention, endedMs: 1000, deadMs: 1000, eventsMs: 1000 }

interface Store {
  readonly backend: Backend
  readonly clock: VirtualClock
  readonly server: Redis
  /** Opens the same store as another process would. */
  again(): Promise<Backend>
  /** The names of its keys, without what all begin with. */
  keys(): Promise<string[]>
  isEmpty(): Promise<boolean>
  take(limit: number): Promise<readonly Claim[]>
  /** Lets time pass until all that is over its retention is forgotten. */
  forget(): Promise<void>
}

let stores = 0
let jobs = 0

async function open(): Promise<Store> {
  const prefix = `layout-${stores++}`
  const clock = new VirtualClock()
  const options = { clock, logger: silentLogger, retention: RETENTION, timeoutMs: 5000 }
  const again = (): Promise<Backend> => openRedis(`127.0.0.1:${redis?.port}?prefix=${prefix}`, false, options)
  const backend = await again()
  const server = new Redis(redis?.port ?? 0, '127.0.0.1')
  onTestFinished(async () => {
    server.disconnect()
    await backend.close()
  })
  const keys = async (): Promise<string[]> =>
    (await server.keys(`{${prefix}}:*`)).map((name) => name.slice(prefix.length + 3)).sort()
  return {
    backend,
    clock,
    server,
    again,
    keys,
    take: (limit) => ledgerOf(backend).claim('q', { limit, leaseMs: 30_000, worker: 'w' }),
    async isEmpty() {
      const names = (await keys()).filter((name) => !name.startsWith('claimed:'))
      const entries = await Promise.all(['order', 'events'].map((name) => server.xlen(`{${prefix}}:${name}`)))
      return names.every((name) => STAYS.includes(name)) && entries.every((n) => n === 0)
    },
    async forget() {
      for (let rounds = 0; rounds < 40; rounds++) {
        await clock.advance(6000)
        await ledgerOf(backend).depth(['q'])
      }
    },
  }
}

function ledgerOf({ ledger }: Backend) {
  if (ledger === undefined) throw new Error('Redis has a ledger')
  return ledger
}

const jobOf = (more: Partial<Job> = {}): Job => named(`job-${++jobs}`, { createdAt: 0, ...more })
const jobsOf = (n: number, more: Partial<Job> = {}): Job[] => Array.from({ length: n }, () => jobOf(more))

if (redis !== undefined)
  describe('what Redis keeps', () => {
    test('nothing of any job is left when all have ended and their retention is over', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const random = seeded(7)
      const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 0 }
      for (let round = 0; round < 40; round++) {
        const now = store.clock.now()
        await ledger.record(jobsOf(1 + Math.floor(random() * 200), { priority: Math.floor(random() * 10) }))
        await ledger.record([
          jobOf({ key: `k${round % 3}` }),
          jobOf({ runAt: now + 500 }),
          jobOf({ deadline: now + 200 }),
          jobOf({ idempotency: { key: `once-${round}`, fingerprint: 'f' } }),
          jobOf({ id: `an id with spaces ${round}` }),
        ])
        const held = await store.take(1 + Math.floor(random() * 120))
        await ledger.act({ type: 'cancel', ids: [`job-${jobs - 3}`, held[0]?.job.id ?? ''] })
        await ledger.settle(
          held.map((claim, nth) => {
            if (nth % 7 === 1) return { claim, type: 'retry', runAt: now + 100, fault }
            if (nth % 7 === 2) return { claim, type: 'dead', fault }
            return nth % 7 === 3 ? { claim, type: 'release' } : { claim, type: 'done', result: `${nth}` }
          }),
        )
        await store.clock.advance(50)
      }
      for (let held = await store.take(500); held.length > 0; held = await store.take(500)) {
        await ledger.settle(held.map((claim) => ({ claim, type: 'done' })))
        await store.clock.advance(1000)
      }
      await store.forget()
      expect(await store.isEmpty(), (await store.keys()).join()).toBe(true)
    })

    test('keys of version 1 are brought forward: what waits in them is counted in bytes, and nothing else', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const payload = JSON.stringify('é'.repeat(4))
      const soon = store.clock.now() + 50
      await ledger.record(jobsOf(300, { payload }))
      await ledger.record([
        ...jobsOf(3, { payload, key: 'k' }),
        jobOf({ payload, runAt: soon + 60_000 }),
        jobOf({ payload, queue: 'other' }),
        jobOf({ payload, deadline: soon }),
      ])
      const [done, later, , ...held] = await store.take(40)
      const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'no', attempt: 1, at: 0 }
      await ledger.settle([
        { claim: done as Claim, type: 'done' },
        { claim: later as Claim, type: 'retry', runAt: soon + 60_000, fault },
        ...held.map((claim) => ({ claim, type: 'release' }) as const),
      ])
      await store.clock.advance(100)
      await ledger.act({ type: 'forget', ids: [later?.job.id ?? ''] })
      await ledger.record([later?.job as Job])
      const before = await ledger.depth()
      expect(before.map(({ queue, waitingBytes }) => [queue, waitingBytes])).toEqual([
        ['other', 10],
        ['q', (300 - 2 + 3 + 1) * 10],
      ])
      const base = `{layout-${stores - 1}}:`
      await store.server.hdel(`${base}counts`, 'bytes q', 'bytes other')
      await store.server.hset(`${base}meta`, 'version', '1')
      const again = await store.again()
      expect(await ledgerOf(again).depth()).toEqual(before)
      expect(await store.server.hget(`${base}meta`, 'version')).toBe('2')
      await again.close()
      await (await store.again()).close()
      expect(await ledger.depth()).toEqual(before)
    })

    test('jobs that came together are one entry, which goes with the last of them', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const many = jobsOf(100)
      await ledger.record(many)
      const order = `{layout-${stores - 1}}:order`
      expect(await store.server.xlen(order)).toBe(1)
      const [first, ...others] = await store.take(100)
      await ledger.settle(others.map((claim) => ({ claim, type: 'done' })))
      await ledger.renew([{ claim: first as Claim }], 10_000_000)
      await store.forget()
      expect(await store.server.xlen(order)).toBe(1)
      expect((await ledger.find({})).jobs.map(({ id }) => id)).toEqual([many[0]?.id])
      await ledger.settle([{ claim: first as Claim, type: 'done' }])
      await store.forget()
      expect(await store.isEmpty(), (await store.keys()).join()).toBe(true)
    })

    test('jobs that are waited for in vain leave no block in the list when they are cancelled and forgotten', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const many = [...jobsOf(300), ...jobsOf(300, { priority: 9 })]
      await ledger.record(many)
      await ledger.act({ type: 'cancel', ids: many.map(({ id }) => id) })
      await store.forget()
      expect(await store.isEmpty(), (await store.keys()).join()).toBe(true)
    })

    test('of jobs that come again with new ones, the new ones alone are taken and found, in order', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const many = jobsOf(9)
      await ledger.record(many.filter((_, nth) => nth % 2 === 1))
      const answers = await ledger.record(many)
      expect(answers.map(({ status }) => status)).toEqual(
        many.map((_, nth) => (nth % 2 === 1 ? 'duplicate' : 'queued')),
      )
      const inOrder = [...many.filter((_, nth) => nth % 2 === 1), ...many.filter((_, nth) => nth % 2 === 0)]
      const names = inOrder.map(({ id }) => id)
      expect((await ledger.find({})).jobs.map(({ id }) => id)).toEqual(names.toReversed())
      const taken = [await store.take(3), await store.take(1), await store.take(100)].flat()
      expect(taken.map(({ job }) => job.id)).toEqual(names)
    })

    test('a job that was let go and comes again is found once', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const many = jobsOf(5)
      await ledger.record(many)
      const [first] = many
      await ledger.act({ type: 'forget', ids: [first?.id ?? ''] })
      await ledger.record([first as Job])
      const found = (await ledger.find({})).jobs.map(({ id }) => id)
      expect(found.toSorted()).toEqual(many.map(({ id }) => id).toSorted())
      expect((await store.take(100)).map(({ job }) => job.id).toSorted()).toEqual(found.toSorted())
    })

    test('a store that is emptied under a running process takes new jobs and hands them out whole', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      await ledger.record([jobOf(), jobOf({ task: 'other' })])
      await store.server.flushdb()
      const again = [jobOf({ task: 'other', maxAttempts: 1 }), jobOf({ task: 'other' }), jobOf()]
      await ledger.record(again)
      const taken = await store.take(10)
      expect(taken.map(({ job: { task, maxAttempts } }) => [task, maxAttempts])).toEqual(
        again.map(({ task, maxAttempts }) => [task, maxAttempts]),
      )
    })

    test('what somebody else wrote in place of a job holds up no other', async () => {
      const store = await open()
      const ledger = ledgerOf(store.backend)
      const [bad, good] = jobsOf(2) as [Job, Job]
      await ledger.record([bad, good])
      await store.server.hset(`{layout-${stores - 1}}:jobs`, bad.id, 'nonsense')
      expect((await store.take(10)).map(({ job }) => job.id)).toEqual([good.id])
      expect((await ledger.find({})).jobs.map(({ id }) => id)).toEqual([good.id])
      await store.clock.advance(40_000)
      await ledger.depth(['q'])
      expect((await store.take(10)).map(({ job }) => job.id)).toEqual([good.id])
    })
  })
