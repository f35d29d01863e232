import assert from 'node:assert/strict'
import type { FollowUp, Job } from '../../job/job.ts'
import type { Bench, ConformanceCase } from './case.ts'
import { needsSecond, roomFor } from './case.ts'

const notice: FollowUp = {
  id: 'notice',
  task: 'tell',
  queue: 'notices',
  priority: 7,
  maxAttempts: 9,
  data: '{"to":"ada"}',
}

/** Idempotency keys, tenants, and what follows the end of a job. */
export const following: readonly ConformanceCase[] = [
  {
    group: 'dedup',
    name: 'an idempotency key is taken once: the same request again answers the first job',
    async run(b) {
      const once = { idempotency: { key: 'k', fingerprint: 'f' } }
      const answers = await b.backend.broker.enqueue([b.job(once), b.job(once), b.job()])
      assert.deepEqual(answers, [
        { id: 'job-1', status: 'queued' },
        { id: 'job-1', status: 'duplicate' },
        { id: 'job-3', status: 'queued' },
      ])
      assert.deepEqual(await b.backend.broker.enqueue([b.job(once)]), [{ id: 'job-1', status: 'duplicate' }])
      assert.equal((await b.take(2)).length, 2)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'dedup',
    name: 'another request under a used idempotency key is refused, also when the first has ended',
    async run(b) {
      await b.enqueue({ idempotency: { key: 'k', fingerprint: 'f' } })
      await b.settle(await b.takeOne(), { type: 'done' })
      const other = b.job({ idempotency: { key: 'k', fingerprint: 'g' } })
      assert.deepEqual(await b.backend.broker.enqueue([other]), [{ id: 'job-1', status: 'mismatch' }])
      assert.deepEqual((await b.ledger.find({ ids: [other.id] })).jobs, [])
    },
  },
  {
    group: 'dedup',
    name: 'a full queue still answers for an idempotency key that it knows',
    async run(b) {
      const once = { idempotency: { key: 'k', fingerprint: 'f' } }
      await b.enqueue(once)
      const answers = await b.backend.broker.enqueue([b.job(once), b.job()], roomFor({ jobs: 1 }))
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['duplicate', 'full'],
      )
    },
  },
  {
    group: 'dedup',
    name: 'the id of a job of another tenant, or of none, is taken, also where the queue is full',
    async run(b) {
      const id = 'order-1'
      await b.enqueue({ id, tenant: 'a' })
      const offers = [b.job({ id, tenant: 'a' }), b.job({ id, tenant: 'b' }), b.job({ id })]
      for (const room of [undefined, roomFor({ jobs: 1 })]) {
        const answers = await b.backend.broker.enqueue(offers, room)
        assert.deepEqual(
          answers.map(({ status }) => status),
          ['duplicate', 'taken', 'taken'],
        )
      }
      assert.equal((await b.record(id)).tenant, 'a')
    },
  },
  {
    group: 'dedup',
    name: 'of two connections that offer one idempotency key, one is accepted',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      const once = { idempotency: { key: 'k', fingerprint: 'f' } }
      const answers = await Promise.all([
        b.backend.broker.enqueue([b.job(once)]),
        other.broker.enqueue([b.job(once)]),
      ])
      assert.deepEqual(
        answers
          .flat()
          .map(({ status }) => status)
          .sort(),
        ['duplicate', 'queued'],
      )
      assert.equal(new Set(answers.flat().map(({ id }) => id)).size, 1)
    },
  },
  {
    group: 'dedup',
    name: 'an idempotency key is free again when its job is forgotten',
    async run(b) {
      const once = { idempotency: { key: 'k', fingerprint: 'f' } }
      await b.enqueue(once)
      await b.settle(await b.takeOne(), { type: 'dead', fault: b.fault() })
      await b.ledger.act({ type: 'purge', filter: {}, before: b.target.now() + 60_000, limit: 10 })
      assert.deepEqual(await b.backend.broker.enqueue([b.job(once)]), [{ id: 'job-2', status: 'queued' }])
    },
  },
  {
    group: 'admin',
    name: 'find tells the jobs of one tenant from those of others and of none',
    async run(b) {
      await b.enqueue({ tenant: 'a' }, { tenant: 'b' }, {}, { tenant: 'a' })
      const of = async (tenant: string): Promise<string[]> =>
        (await b.ledger.find({ tenant })).jobs.map(({ id }) => id)
      assert.deepEqual([await of('a'), await of('b'), await of('c')], [['job-4', 'job-1'], ['job-2'], []])
      assert.equal((await b.record('job-1')).tenant, 'a')
    },
  },
  {
    group: 'follow',
    name: 'the end of a job queues what follows it, with its result and the data given',
    async run(b) {
      await b.enqueue({ onDone: [notice], tenant: 'a', trace: { traceparent: '00-1' } })
      assert.deepEqual(await b.takeIfAny(10, 'notices'), [])
      const claim = await b.takeOne()
      assert.deepEqual(claim.job.onDone, [notice])
      await b.settle(claim, { type: 'done', result: '{"total":7}' })
      const { job } = await b.takeOne('notices')
      assert.deepEqual([job.task, job.priority, job.maxAttempts, job.tenant], ['tell', 7, 9, 'a'])
      assert.deepEqual(job.trace, { traceparent: '00-1' })
      const { endedAt, createdAt, ...told } = JSON.parse(job.payload)
      assert.deepEqual(told, {
        id: 'job-1',
        task: 'test',
        queue: 'q',
        state: 'done',
        attempt: 1,
        tenant: 'a',
        result: { total: 7 },
        data: { to: 'ada' },
      })
      assert.ok(endedAt >= createdAt)
    },
  },
  {
    group: 'follow',
    name: 'a failed attempt is followed by nothing, the last one by the fault',
    async run(b) {
      await b.enqueue({ onDone: [notice], maxAttempts: 2 })
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now(), fault: b.fault('first') })
      assert.deepEqual(await b.takeIfAny(10, 'notices'), [])
      await b.settle(await b.takeOne(), { type: 'retry', runAt: b.target.now(), fault: b.fault('second') })
      const { state, error } = JSON.parse((await b.takeOne('notices')).job.payload)
      assert.deepEqual([state, error], ['dead', { code: 'HANDLER_FAILED', message: 'second' }])
    },
  },
  {
    group: 'follow',
    name: 'a cancelled job is followed, waiting or running',
    async run(b) {
      await b.enqueue({ onDone: [notice] })
      const claim = await b.takeOne()
      await b.enqueue({ onDone: [{ ...notice, id: 'other' }], runAt: b.target.now() + 60_000 })
      await b.ledger.act({ type: 'cancel', ids: ['job-1', 'job-2'] })
      await b.settle(claim, { type: 'cancelled' })
      const told = (await b.take(2, 'notices')).map(({ job }) => JSON.parse(job.payload))
      assert.deepEqual(told.map(({ id, state }) => `${id} ${state}`).sort(), [
        'job-1 cancelled',
        'job-2 cancelled',
      ])
    },
  },
  {
    group: 'follow',
    name: 'a job that time ends is followed: its deadline passed, or its last lease lapsed',
    async run(b) {
      await b.enqueue({ onDone: [notice], maxAttempts: 1 })
      await b.takeOne('q', 1000)
      await b.enqueue({ onDone: [{ ...notice, id: 'other' }], queue: 'r', deadline: b.target.now() + 500 })
      await b.target.advance(1500)
      const told = (await b.take(2, 'notices')).map(({ job }) => JSON.parse(job.payload))
      assert.deepEqual(told.map(({ id, error }) => `${id} ${error.code}`).sort(), [
        'job-1 LEASE_LOST',
        'job-2 DEADLINE_PASSED',
      ])
    },
  },
  {
    group: 'follow',
    name: 'an end is followed once, however often it is told; a revived job that ends again is followed again',
    async run(b) {
      await b.enqueue({ onDone: [notice] })
      const claim = await b.takeOne()
      assert.equal(await b.settle(claim, { type: 'dead', fault: b.fault() }), true)
      assert.equal(await b.settle(claim, { type: 'dead', fault: b.fault() }), false)
      await b.take(1, 'notices')
      assert.deepEqual(await b.takeIfAny(10, 'notices'), [])
      await b.ledger.act({ type: 'retry', ids: ['job-1'] })
      await b.settle(await b.takeOne(), { type: 'done' })
      assert.equal(JSON.parse((await b.takeOne('notices')).job.payload).state, 'done')
    },
  },
  {
    group: 'follow',
    name: 'a result too long to be handed on is told by its length',
    async run(b) {
      await b.enqueue({ onDone: [notice] })
      await b.settle(await b.takeOne(), { type: 'done', result: JSON.stringify('x'.repeat(20_000)) })
      const { result, resultLength } = JSON.parse((await b.takeOne('notices')).job.payload)
      assert.deepEqual([result, resultLength], [undefined, 20_002])
    },
  },
  {
    group: 'follow',
    name: 'many that end together are each followed, after another connection has seen them',
    skip: needsSecond,
    async run(b) {
      const jobs: Partial<Job>[] = Array.from({ length: 50 }, (_, n) => ({
        onDone: [{ ...notice, id: `notice-${n}` }],
      }))
      await b.enqueue(...jobs)
      const other = await b.reopen()
      const claims = await b.take(50, 'q', 30_000, other)
      await other.broker.settle(claims.map((claim) => ({ claim, type: 'done' })))
      assert.equal((await take(b, 50)).size, 50)
    },
  },
]

async function take(b: Bench, count: number): Promise<Set<string>> {
  return new Set((await b.take(count, 'notices')).map(({ job }) => JSON.parse(job.payload).id as string))
}
