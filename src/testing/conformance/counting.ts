import assert from 'node:assert/strict'
import { defaultRetention } from '../../backend.ts'
import type { Claim, Totals } from '../../broker.ts'
import type { Ending } from '../../job/state.ts'
import type { ConformanceCase } from './case.ts'
import { Bench } from './case.ts'

async function totals(b: Bench, queue = 'q'): Promise<Totals | null> {
  return (await b.depth(queue)).totals
}

/** What became of all jobs of a queue, and what is in every queue. */
export const counting: readonly ConformanceCase[] = [
  {
    group: 'admin',
    name: 'an empty queue has totals of nought',
    async run(b) {
      assert.deepEqual(await totals(b), { accepted: 0, done: 0, failed: 0, dead: 0, cancelled: 0 })
    },
  },
  {
    group: 'admin',
    name: 'totals tell what was accepted and what became of it; only a failure that is tried again has failed',
    async run(b) {
      await b.enqueue({ maxAttempts: 2 }, { maxAttempts: 2 }, {}, {}, { queue: 'r' })
      const retry = (): Ending => ({ type: 'retry', runAt: b.target.now(), fault: b.fault() })
      const [one, two, three] = await b.take(3)
      for (const claim of [one, two]) await b.settle(claim as Claim, retry())
      await b.settle(three as Claim, { type: 'done' })
      assert.deepEqual(await totals(b), { accepted: 4, done: 1, failed: 2, dead: 0, cancelled: 0 })
      await b.ledger.act({ type: 'cancel', ids: ['job-4', 'job-4', 'job-3'] })
      const [again] = await b.take(2)
      await b.settle(again as Claim, retry())
      assert.deepEqual(await totals(b), { accepted: 4, done: 1, failed: 2, dead: 1, cancelled: 1 })
      assert.deepEqual(await totals(b, 'r'), { accepted: 1, done: 0, failed: 0, dead: 0, cancelled: 0 })
    },
  },
  {
    group: 'admin',
    name: 'an attempt whose lease lapses has failed where another follows; one that is put off or released has not',
    async run(b) {
      await b.enqueue({ maxAttempts: 2 })
      await b.end({ type: 'snooze', runAt: b.target.now() })
      await b.end({ type: 'release' })
      await b.takeOne('q', 300)
      await b.target.advance(600)
      assert.deepEqual(await totals(b), { accepted: 1, done: 0, failed: 1, dead: 0, cancelled: 0 })
      await b.takeOne('q', 300)
      await b.target.advance(600)
      assert.deepEqual(await totals(b), { accepted: 1, done: 0, failed: 1, dead: 1, cancelled: 0 })
    },
  },
  {
    group: 'admin',
    name: 'a dead letter that is tried again and dies again has died twice, and was accepted once',
    async run(b) {
      await b.enqueue({}, {})
      const fault = b.fault()
      await b.end({ type: 'dead', fault })
      await b.ledger.act({ type: 'retry', ids: ['job-1'] })
      await b.end({ type: 'dead', fault })
      await b.end({ type: 'dead', fault })
      await b.ledger.act({ type: 'redrive', filter: {}, before: b.target.now() + 60_000, limit: 10 })
      assert.deepEqual(await totals(b), { accepted: 2, done: 0, failed: 0, dead: 3, cancelled: 0 })
      await b.end({ type: 'done' })
      assert.deepEqual(await totals(b), { accepted: 2, done: 1, failed: 0, dead: 3, cancelled: 0 })
    },
  },
  {
    group: 'admin',
    name: 'what is purged, or has moved to another store, stays in the totals; what is moved here comes into them',
    async run(b) {
      await b.enqueue({}, {}, {}, {})
      for (const claim of await b.take(2)) await b.settle(claim, { type: 'dead', fault: b.fault() })
      await b.ledger.act({
        type: 'purge',
        filter: { ids: ['job-1'] },
        before: b.target.now() + 60_000,
        limit: 9,
      })
      await b.ledger.act({ type: 'forget', ids: ['job-2', 'job-3'] })
      assert.deepEqual(await totals(b), { accepted: 4, done: 0, failed: 0, dead: 2, cancelled: 0 })
      const past = { attempt: 1, fence: 1, acceptedAt: b.target.now(), faults: [b.fault()] }
      await b.enqueue(
        { past: { ...past, state: 'queued' } },
        { past: { ...past, state: 'dead', endedAt: b.target.now() } },
      )
      assert.deepEqual(await totals(b), { accepted: 6, done: 0, failed: 0, dead: 3, cancelled: 0 })
    },
  },
  {
    group: 'admin',
    name: 'totals never fall when ended jobs are forgotten',
    skip: ({ virtual }) => (virtual ? undefined : 'retention is waited for on a virtual clock'),
    async run({ target }) {
      const retention = { ...defaultRetention, endedMs: 1000, deadMs: 1000 }
      const b = new Bench(target, await target.open({ retention }))
      try {
        await b.enqueue({}, {}, {})
        await b.end({ type: 'done' })
        await b.end({ type: 'dead', fault: b.fault() })
        await b.ledger.act({ type: 'cancel', ids: ['job-3'] })
        const before = await totals(b)
        assert.deepEqual(before, { accepted: 3, done: 1, failed: 0, dead: 1, cancelled: 1 })
        for (let looks = 0; looks < 50 && (await b.ledger.find({})).jobs.length > 0; looks++)
          await target.advance(6000)
        assert.deepEqual((await b.ledger.find({})).jobs, [])
        assert.deepEqual(await totals(b), before)
        await b.enqueue({})
        assert.equal((await totals(b))?.accepted, 4)
      } finally {
        await b.close()
      }
    },
  },
  {
    group: 'admin',
    name: 'every queue that ever had a job, or is paused, is told of by name',
    async run(b) {
      assert.deepEqual(await b.ledger.depth(), [])
      await b.enqueue({ queue: 'two words' }, { queue: 'b' }, { queue: 'b' }, { queue: 'B' })
      await b.settle(await b.takeOne('two words'), { type: 'done' })
      await b.ledger.act({ type: 'cancel', ids: ['job-4'] })
      await b.ledger.act({ type: 'pause', queue: 'a' })
      await b.ledger.act({ type: 'pause', queue: 'b' })
      assert.deepEqual(
        (await b.ledger.depth()).map(({ queue, ready, paused }) => [queue, ready, paused]),
        [
          ['B', 0, false],
          ['a', 0, true],
          ['b', 2, true],
          ['two words', 0, false],
        ],
      )
      await b.ledger.act({ type: 'resume', queue: 'a' })
      assert.deepEqual(
        (await b.ledger.depth()).map(({ queue }) => queue),
        ['B', 'b', 'two words'],
      )
    },
  },
  {
    group: 'admin',
    name: 'the queues that are named are told of in their order, also where nothing ever was',
    async run(b) {
      const names = Array.from({ length: 25 }, (_, nth) => `q${24 - nth}`)
      await b.enqueue(...names.slice(5).map((queue) => ({ queue })))
      const depths = await b.ledger.depth(names)
      assert.deepEqual(
        depths.map(({ queue }) => queue),
        names,
      )
      assert.deepEqual(
        depths.map(({ ready }) => ready),
        names.map((_, nth) => (nth < 5 ? 0 : 1)),
      )
      assert.deepEqual(
        (await b.ledger.depth()).map(({ queue }) => queue),
        names.slice(5).sort(),
      )
      assert.deepEqual(await b.ledger.depth([]), [])
    },
  },
]
