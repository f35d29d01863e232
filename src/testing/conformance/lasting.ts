import assert from 'node:assert/strict'
import type { ConformanceCase } from './case.ts'
import { ids } from './case.ts'

/** Lease, retry, time, priority and order of keys. */
export const lasting: readonly ConformanceCase[] = [
  {
    group: 'lease',
    name: 'a lease that is not renewed lapses: the job comes again with the next attempt and a higher fence',
    async run(b) {
      await b.enqueue({})
      const first = await b.takeOne('q', 1000)
      await b.target.advance(1600)
      const again = await b.takeOne()
      assert.equal(again.attempt, 2)
      assert.ok(again.fence > first.fence)
    },
  },
  {
    group: 'lease',
    name: 'a renewed lease holds',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne('q', 1000)
      await b.target.advance(700)
      assert.deepEqual(await b.backend.broker.renew([{ claim }], 1000), ['held'])
      await b.target.advance(700)
      assert.equal(await b.settle(claim, { type: 'done' }), true)
    },
  },
  {
    group: 'lease',
    name: 'who lost a lease can neither settle nor renew',
    async run(b) {
      await b.enqueue({})
      const lost = await b.takeOne('q', 1000)
      await b.target.advance(1600)
      const holder = await b.takeOne()
      assert.deepEqual(await b.backend.broker.renew([{ claim: lost }], 1000), ['lost'])
      assert.equal(await b.settle(lost, { type: 'done', result: '"late"' }), false)
      assert.equal(await b.settle(holder, { type: 'done', result: '"right"' }), true)
      assert.equal((await b.record('job-1')).result, '"right"')
    },
  },
  {
    group: 'lease',
    name: 'a job that loses its last lease is dead with the reason',
    async run(b) {
      await b.enqueue({ maxAttempts: 1 })
      await b.takeOne('q', 1000)
      await b.target.advance(1600)
      assert.deepEqual(await b.takeIfAny(), [])
      const { state, faults } = await b.record('job-1')
      assert.deepEqual([state, faults.at(-1)?.code], ['dead', 'LEASE_LOST'])
    },
  },
  {
    group: 'retry',
    name: 'a retry comes at its time, not before, as the next attempt',
    async run(b) {
      await b.enqueue({})
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now() + 2000, fault: b.fault() })
      assert.equal((await b.record('job-1')).state, 'scheduled')
      assert.deepEqual(await b.takeIfAny(), [])
      await b.target.advance(2500)
      assert.equal((await b.takeOne()).attempt, 2)
    },
  },
  {
    group: 'retry',
    name: 'the last attempt that fails is dead with the history of all',
    async run(b) {
      await b.enqueue({ maxAttempts: 2 })
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now(), fault: b.fault('one') })
      await b.target.advance(500)
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now(), fault: b.fault('two') })
      const { state, faults } = await b.record('job-1')
      assert.deepEqual([state, faults.map(({ message }) => message)], ['dead', ['one', 'two']])
    },
  },
  {
    group: 'retry',
    name: 'a snooze comes later and costs no attempt',
    async run(b) {
      await b.enqueue({ maxAttempts: 1 })
      await b.settle(await b.takeOne(), { type: 'snooze', runAt: b.target.now() + 1000 })
      await b.target.advance(1500)
      assert.equal((await b.takeOne()).attempt, 1)
    },
  },
  {
    group: 'retry',
    name: 'a job that always fails does not hold up the others',
    async run(b) {
      await b.enqueue({}, {})
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now() + 60_000, fault: b.fault() })
      assert.deepEqual(ids(await b.take(1)), ['job-2'])
    },
  },
  {
    group: 'retry',
    name: 'a job that fails at once again and again lets the others through',
    async run(b) {
      await b.enqueue({ maxAttempts: 50 }, {}, {})
      const done: string[] = []
      for (let round = 0; round < 6 && done.length < 2; round++) {
        const claim = await b.takeOne()
        if (claim.job.id !== 'job-1') done.push(claim.job.id)
        await b.settle(
          claim,
          claim.job.id === 'job-1'
            ? { type: 'retry', runAt: b.target.now() + 1, fault: b.fault() }
            : { type: 'done' },
        )
        await b.target.advance(300)
      }
      // Without a ledger nothing but getting through is promised: the order of a queue is not.
      assert.deepEqual(b.backend.ledger === undefined ? done.sort() : done, ['job-2', 'job-3'])
    },
  },
  {
    group: 'time',
    name: 'a delayed job does not come before its time',
    async run(b) {
      await b.enqueue({ runAt: b.target.now() + 1500 })
      assert.deepEqual(await b.takeIfAny(), [])
      await b.target.advance(2000)
      assert.equal((await b.takeOne()).attempt, 1)
    },
  },
  {
    group: 'time',
    name: 'a job for next year waits and does not hold up others',
    async run(b) {
      await b.enqueue({ runAt: b.target.now() + 31_536_000_000 }, {})
      assert.deepEqual(ids(await b.take(1)), ['job-2'])
      assert.equal((await b.record('job-1')).state, 'scheduled')
    },
  },
  {
    group: 'time',
    name: 'a job past its deadline is never started: it is dead with the reason',
    async run(b) {
      await b.enqueue({ deadline: b.target.now() + 500 })
      await b.target.advance(1000)
      assert.deepEqual(await b.takeIfAny(), [])
      const { state, faults, attempt } = await b.record('job-1')
      assert.deepEqual([state, faults.at(-1)?.code, attempt], ['dead', 'DEADLINE_PASSED', 0])
    },
  },
  {
    group: 'time',
    name: 'a job whose lease lapses after its deadline is not started again',
    async run(b) {
      await b.enqueue({ deadline: b.target.now() + 500 })
      await b.takeOne('q', 1000)
      await b.target.advance(1600)
      assert.deepEqual(await b.takeIfAny(), [])
      const { state, faults } = await b.record('job-1')
      assert.deepEqual([state, faults.map(({ code }) => code)], ['dead', ['LEASE_LOST', 'DEADLINE_PASSED']])
    },
  },
  {
    group: 'time',
    name: 'a job that was started before its deadline may end after it',
    async run(b) {
      await b.enqueue({ deadline: b.target.now() + 1000 })
      const claim = await b.takeOne()
      await b.target.advance(1500)
      assert.equal(await b.settle(claim, { type: 'done' }), true)
    },
  },
  {
    group: 'priority',
    name: 'urgent jobs come first',
    async run(b) {
      await b.enqueue({ priority: 0 }, { priority: 9 }, { priority: 4 })
      assert.deepEqual(ids(await b.take(3)), ['job-2', 'job-3', 'job-1'])
    },
  },
  {
    group: 'priority',
    name: 'a low job is not starved for ever',
    skip: ({ virtual }) => (virtual ? undefined : 'ageing takes minutes and this backend runs on real time'),
    async run(b) {
      await b.enqueue({ priority: 0 })
      await b.target.advance(9 * 300_000 + 1000)
      await b.enqueue({ priority: 9 })
      assert.deepEqual(ids(await b.take(2)), ['job-1', 'job-2'])
    },
  },
  {
    group: 'order',
    name: 'jobs of a key run one at a time and in order',
    async run(b) {
      await b.enqueue({ key: 'k' }, { key: 'k' }, { key: 'other' })
      const first = await b.take(2)
      assert.deepEqual(ids(first).sort(), ['job-1', 'job-3'])
      assert.deepEqual(await b.takeIfAny(), [])
      for (const claim of first) await b.settle(claim, { type: 'done' })
      assert.deepEqual(ids(await b.take(1)), ['job-2'])
    },
  },
  ...(['retry', 'snooze', 'release', 'lapse'] as const).map(
    (how): ConformanceCase => ({
      group: 'order',
      name: `the order of a key is kept across a ${how}`,
      async run(b) {
        await b.enqueue({ key: 'k' }, { key: 'k' })
        const claim = await b.takeOne('q', how === 'lapse' ? 1000 : 30_000)
        if (how === 'retry')
          await b.settle(claim, { type: 'retry', runAt: b.target.now() + 1000, fault: b.fault() })
        if (how === 'snooze') await b.settle(claim, { type: 'snooze', runAt: b.target.now() + 1000 })
        if (how === 'release') await b.settle(claim, { type: 'release' })
        if (how === 'retry' || how === 'snooze') assert.deepEqual(await b.takeIfAny(), [])
        await b.target.advance(1600)
        assert.deepEqual(ids(await b.take(1)), ['job-1'])
        assert.deepEqual(await b.takeIfAny(), [])
      },
    }),
  ),
  ...(['dead', 'cancelled'] as const).map(
    (how): ConformanceCase => ({
      group: 'order',
      name: `a ${how} job gives way to the next of its key`,
      async run(b) {
        await b.enqueue({ key: 'k' }, { key: 'k' })
        if (how === 'dead') await b.settle(await b.takeOne(), { type: 'dead', fault: b.fault() })
        else await b.ledger.act({ type: 'cancel', ids: ['job-1'] })
        assert.deepEqual(ids(await b.take(1)), ['job-2'])
      },
    }),
  ),
  {
    group: 'order',
    name: 'a delayed job joins the line of its key only when it is due',
    async run(b) {
      await b.enqueue({ key: 'k', runAt: b.target.now() + 1000 }, { key: 'k' })
      const second = await b.takeOne()
      assert.equal(second.job.id, 'job-2')
      await b.target.advance(1500)
      assert.deepEqual(await b.takeIfAny(), [])
      await b.settle(second, { type: 'done' })
      assert.deepEqual(ids(await b.take(1)), ['job-1'])
    },
  },
  {
    group: 'order',
    name: 'one key in two queues is two lines',
    async run(b) {
      await b.enqueue({ key: 'k' }, { key: 'k', queue: 'r' })
      await b.take(1)
      await b.take(1, 'r')
    },
  },
]
