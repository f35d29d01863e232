import { describe, expect, onTestFinished, test } from 'vitest'
import { Link } from '../scripts/servers/proxy.ts'
import { startRedis } from '../scripts/servers/redis.ts'
import { defaultRetention } from '../src/backend.ts'
import { openRedis } from '../src/backends/redis/index.ts'
import type { Claim } from '../src/broker.ts'
import { systemClock } from '../src/clock.ts'
import type { Ledger } from '../src/ledger.ts'
import { silentLogger } from '../src/log.ts'
import { jobOf as job } from './redis/job.ts'
import { needs } from './servers.ts'

const redis = await needs('redis', startRedis)
let stores = 0

interface Store {
  readonly ledger: Ledger
  /** The server does what it is told next, and its answer is lost with the connection. */
  loseAnswer(): void
  claim(limit: number): Promise<readonly Claim[]>
}

async function open(): Promise<Store> {
  const link = await Link.to(redis?.port ?? 0)
  const options = { clock: systemClock, logger: silentLogger, retention: defaultRetention, timeoutMs: 5000 }
  const backend = await openRedis(`127.0.0.1:${link.port}?prefix=lost-${stores++}`, false, options)
  onTestFinished(async () => {
    await backend.close()
    await link[Symbol.asyncDispose]()
  })
  const { ledger } = backend
  if (ledger === undefined) throw new Error('Redis has a ledger')
  return {
    ledger,
    loseAnswer: () => link.cutAfter(0, 'down'),
    claim: (limit) => ledger.claim('q', { limit, leaseMs: 600_000, worker: 'w' }),
  }
}

const idsOf = (claims: readonly Claim[]): string[] => claims.map(({ job: { id } }) => id)

if (redis !== undefined)
  describe('where the answer of Redis is lost with the connection', () => {
    test('jobs are accepted once, and said to be new', async () => {
      const { ledger, claim, loseAnswer } = await open()
      await ledger.record([job('before')])
      loseAnswer()
      const answers = await ledger.record([
        job('a'),
        job('b', { idempotency: { key: 'k', fingerprint: 'f' } }),
      ])
      expect(answers.map(({ status }) => status)).toEqual(['queued', 'queued'])
      expect(idsOf(await claim(10))).toEqual(['before', 'a', 'b'])
    })

    test('the jobs that were claimed are handed over all the same, and no others in their place', async () => {
      const { ledger, claim, loseAnswer } = await open()
      await ledger.record([job('a'), job('b'), job('key', { key: 'k' }), job('later')])
      loseAnswer()
      const first = await claim(3)
      expect(idsOf(first)).toEqual(['a', 'b', 'key'])
      expect(first.map(({ attempt, fence }) => [attempt, fence])).toEqual([
        [1, 1],
        [1, 1],
        [1, 1],
      ])
      expect(idsOf(await claim(10))).toEqual(['later'])
      expect(await ledger.settle(first.map((one) => ({ claim: one, type: 'done' })))).toEqual([
        true,
        true,
        true,
      ])
    })

    test('an end is stored once, with what follows it', async () => {
      const { ledger, claim, loseAnswer } = await open()
      const next = { id: 'next', task: 't', queue: 'q', priority: 4, maxAttempts: 1 }
      await ledger.record([job('a', { onDone: [next] }), job('b')])
      const claims = await claim(2)
      loseAnswer()
      const ended = claims.map((one) => ({ claim: one, type: 'done', result: '"x"' }) as const)
      expect(await ledger.settle(ended)).toEqual([true, true])
      const { jobs } = await ledger.find({ state: 'done' })
      expect(jobs.map(({ id, result }) => [id, result])).toEqual([
        ['b', '"x"'],
        ['a', '"x"'],
      ])
      const followers = await claim(10)
      expect(followers).toHaveLength(1)
      expect((await ledger.find({})).jobs).toHaveLength(3)
    })

    test('a lease is renewed, and what the handler reported is there once', async () => {
      const { ledger, claim, loseAnswer } = await open()
      await ledger.record([job('a')])
      const [one] = (await claim(1)) as [Claim]
      loseAnswer()
      const log = [
        { at: 1, message: 'one' },
        { at: 2, message: 'two' },
      ]
      expect(await ledger.renew([{ claim: one, progress: '5', log }], 600_000)).toEqual(['held'])
      const [record] = (await ledger.find({ ids: ['a'] })).jobs
      expect([record?.progress, record?.log]).toEqual(['5', log])
    })

    test('a cancel is made once, and said to be made', async () => {
      const { ledger, loseAnswer } = await open()
      await ledger.record([job('a')])
      loseAnswer()
      const { verdicts } = await ledger.act({ type: 'cancel', ids: ['a'] })
      expect(verdicts).toEqual(['done'])
      expect((await ledger.find({ ids: ['a'] })).jobs[0]?.state).toBe('cancelled')
    })
  })
