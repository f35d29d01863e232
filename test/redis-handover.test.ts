import { describe, expect, onTestFinished, test } from 'vitest'
import { Link } from '../scripts/servers/proxy.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import type { Backend } from '../src/backend.ts'
import { defaultRetention } from '../src/backend.ts'
import { openRedis } from '../src/backends/redis/index.ts'
import type { Claim } from '../src/broker.ts'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/log.ts'
import { jobOf as job } from './redis/job.ts'
import { needs } from './servers.ts'

const redis = await needs('redis', startRedis)
let stores = 0

async function open(port = redis?.port): Promise<Backend> {
  const options = { clock: systemClock, logger: silentLogger, retention: defaultRetention, timeoutMs: 5000 }
  const backend = await openRedis(`127.0.0.1:${port}?prefix=hand-${stores}`, false, options)
  onTestFinished(() => backend.close())
  return backend
}

/** Waits for jobs; the answer of `begun` comes when it has found none. */
function waiting(backend: Backend, limit = 10, signal = new AbortController().signal) {
  const { ledger, broker } = backend
  if (ledger === undefined) throw new Error('Redis has a ledger')
  const began = Promise.withResolvers<void>()
  const claim = ledger.claim.bind(ledger)
  ledger.claim = async (queue, want) => {
    const claims = await claim(queue, want)
    if (claims.length === 0) began.resolve()
    return claims
  }
  const claims = broker.claim('q', { limit, leaseMs: 600_000, worker: 'w', signal })
  return { claims, begun: began.promise }
}

const told = (claims: readonly Claim[]): unknown[] => claims.map(({ job: { id }, attempt }) => [id, attempt])

if (redis !== undefined)
  describe('who waits in the process that accepts a job, on Redis', () => {
    test('is given it with the acceptance, and those behind it stay for others', async () => {
      stores++
      const backend = await open()
      const { claims, begun } = waiting(backend, 2)
      await begun
      const accepted = await backend.broker.enqueue([job('a'), job('b'), job('c')])
      expect(accepted.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued'])
      expect(told(await claims)).toEqual([
        ['a', 1],
        ['b', 1],
      ])
      expect((await backend.ledger?.find({ state: 'running' }))?.jobs).toHaveLength(2)
      const other = waiting(await open())
      expect(told(await other.claims)).toEqual([['c', 1]])
    })

    test('is not given what was not accepted', async () => {
      stores++
      const backend = await open()
      await backend.broker.enqueue([job('a', { queue: 'elsewhere' })])
      const { claims, begun } = waiting(backend)
      await begun
      const accepted = await backend.broker.enqueue([job('a'), job('b')])
      expect(accepted.map(({ status }) => status)).toEqual(['duplicate', 'queued'])
      expect(told(await claims)).toEqual([['b', 1]])
    })

    test('gets the jobs although the answer was lost, and no others', async () => {
      stores++
      const link = await Link.to(redis.port)
      onTestFinished(() => link[Symbol.asyncDispose]())
      const backend = await open(link.port)
      const { claims, begun } = waiting(backend, 2)
      await begun
      link.cutAfter(0, 'down')
      const accepted = await backend.broker.enqueue([job('a'), job('b'), job('c')])
      expect(accepted.map(({ status }) => status)).toEqual(['queued', 'queued', 'queued'])
      expect(told(await claims)).toEqual([
        ['a', 1],
        ['b', 1],
      ])
      const running = (await backend.ledger?.find({ state: 'running' }))?.jobs ?? []
      expect(running.map(({ id }) => id)).toEqual(['b', 'a'])
    })

    test('and goes away meanwhile leaves the job to others, at once and at no cost of an attempt', async () => {
      stores++
      const backend = await open()
      const controller = new AbortController()
      const { claims, begun } = waiting(backend, 10, controller.signal)
      await begun
      const accepting = backend.broker.enqueue([job('a')])
      controller.abort()
      await accepting
      expect(await claims).toEqual([])
      const other = waiting(await open())
      expect(told(await other.claims)).toEqual([['a', 1]])
    })

    test('waits on when the queue is paused', async () => {
      stores++
      const backend = await open()
      const { claims, begun } = waiting(backend)
      await begun
      await backend.ledger?.act({ type: 'pause', queue: 'q' })
      await backend.broker.enqueue([job('a')])
      expect((await backend.ledger?.find({ state: 'queued' }))?.jobs).toHaveLength(1)
      await backend.ledger?.act({ type: 'resume', queue: 'q' })
      expect(told(await claims)).toEqual([['a', 1]])
    })
  })
