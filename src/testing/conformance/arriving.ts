import assert from 'node:assert/strict'
import type { Past } from '../../job/job.ts'
import type { Bench, ConformanceCase } from './case.ts'
import { ids } from './case.ts'

function past(b: Bench, overrides: Partial<Past>): { past: Past } {
  return {
    past: { state: 'queued', attempt: 0, fence: 0, acceptedAt: b.target.now(), faults: [], ...overrides },
  }
}

/** What a dead letter was, with all that is known of it. */
function died(b: Bench): { past: Past } {
  const now = b.target.now()
  return past(b, {
    state: 'dead',
    attempt: 3,
    fence: 4,
    startedAt: now - 20,
    endedAt: now - 10,
    faults: [b.fault('one'), b.fault('two')],
    progress: '{"at":1}',
    log: [{ at: now - 15, message: 'half way' }],
  })
}

/** Jobs that come from another store with what they lived through there, and those that go to one. */
export const arriving: readonly ConformanceCase[] = [
  {
    group: 'retry',
    name: 'a retry that is moved here keeps its attempts, faults and due time, and comes as the next attempt',
    async run(b) {
      const dueAt = b.target.now() + 1500
      const faults = [b.fault('one')]
      await b.enqueue(past(b, { state: 'scheduled', attempt: 1, fence: 2, dueAt, faults }))
      const { past: none, ...record } = await b.record('job-1')
      assert.equal(none, undefined)
      assert.deepEqual(
        [record.state, record.attempt, record.fence, record.dueAt, record.faults],
        ['scheduled', 1, 2, dueAt, faults],
      )
      assert.equal((await b.backend.broker.depth('q')).scheduled, 1)
      assert.deepEqual(await b.takeIfAny(), [])
      await b.target.advance(2000)
      const claim = await b.takeOne()
      assert.deepEqual([claim.attempt, claim.fence, claim.job.past], [2, 3, undefined])
      await b.settle(claim, { type: 'dead', fault: b.fault('two') })
      assert.deepEqual(
        (await b.record('job-1')).faults.map(({ message }) => message),
        ['one', 'two'],
      )
    },
  },
  {
    group: 'lifecycle',
    name: 'a dead letter that is moved here is dead with all that is known of it, and is tried again when told',
    async run(b) {
      const job = b.job({ ...died(b), onDone: [notice] })
      assert.deepEqual(await b.backend.broker.enqueue([job]), [{ id: job.id, status: 'queued' }])
      assert.deepEqual(await b.takeIfAny(), [])
      const record = await b.record(job.id)
      const { acceptedAt: _, ...lived } = died(b).past
      assert.deepEqual({ ...record, ...lived }, record)
      const { ready, dead } = await b.backend.broker.depth('q')
      assert.deepEqual([ready, dead], [0, 1])
      assert.deepEqual(
        (await b.ledger.find({ state: 'dead' })).jobs.map(({ id }) => id),
        [job.id],
      )
      assert.deepEqual(await b.takeIfAny(1, 'notices'), [])
      const redriven = await b.ledger.act({
        type: 'redrive',
        filter: {},
        before: b.target.now() + 1,
        limit: 9,
      })
      assert.equal(redriven.count, 1)
      const claim = await b.takeOne()
      assert.deepEqual([claim.attempt, claim.fence], [1, 5])
    },
  },
  {
    group: 'lifecycle',
    name: 'a dead letter that is moved here can be purged',
    async run(b) {
      await b.enqueue(died(b), {})
      const purged = await b.ledger.act({
        type: 'purge',
        filter: { ids: ['job-1'] },
        before: b.target.now() + 1,
        limit: 9,
      })
      assert.equal(purged.count, 1)
      assert.deepEqual(ids(await b.take(1)), ['job-2'])
      const { ready, running, dead } = await b.backend.broker.depth('q')
      assert.deepEqual([ready, running, dead], [0, 1, 0])
    },
  },
  {
    group: 'lifecycle',
    name: 'of a key, who has begun elsewhere goes before the fresh ones, and holds them back while it waits',
    async run(b) {
      const retry = { state: 'scheduled', attempt: 1, fence: 1, dueAt: b.target.now() + 1000 } as const
      const keyed = { key: 'k' }
      await b.enqueue(
        keyed,
        { ...keyed, ...past(b, {}) },
        { ...keyed, ...past(b, { attempt: 1, fence: 1 }) },
        { ...keyed, ...past(b, retry) },
      )
      for (const id of ['job-3', 'job-4', 'job-1', 'job-2']) {
        if (id === 'job-4') {
          assert.deepEqual(await b.takeIfAny(), [])
          await b.target.advance(1500)
        }
        const claims = await b.take(1)
        assert.deepEqual(ids(claims), [id])
        assert.deepEqual(await b.takeIfAny(), [])
        for (const claim of claims) await b.settle(claim, { type: 'done' })
      }
    },
  },
  {
    group: 'lifecycle',
    name: 'jobs that are moved here stand where they were accepted, urgent ones first',
    async run(b) {
      const acceptedAt = b.target.now() - 5000
      await b.enqueue(
        {},
        { ...past(b, { acceptedAt, attempt: 2, fence: 2 }) },
        { ...past(b, { acceptedAt }) },
        { priority: 9, ...past(b, {}) },
      )
      const claims = await b.take(4)
      assert.deepEqual(ids(claims), ['job-4', 'job-2', 'job-3', 'job-1'])
      assert.deepEqual(
        claims.map(({ attempt }) => attempt),
        [1, 3, 1, 1],
      )
    },
  },
  {
    group: 'lifecycle',
    name: 'what is moved here twice is here once, whatever became of it, and an idempotency key goes along',
    async run(b) {
      const job = b.job({
        idempotency: { key: 'once', fingerprint: 'f' },
        ...past(b, { attempt: 1, fence: 1 }),
      })
      await b.backend.broker.enqueue([job])
      await b.settle(await b.takeOne(), { type: 'done' })
      assert.deepEqual(
        await b.backend.broker.enqueue([job, b.job(died(b)), b.job({ ...died(b), id: 'job-2' })]),
        [
          { id: job.id, status: 'duplicate' },
          { id: 'job-2', status: 'queued' },
          { id: 'job-2', status: 'duplicate' },
        ],
      )
      assert.deepEqual(await b.takeIfAny(), [])
      assert.equal((await b.backend.broker.depth('q')).dead, 1)
    },
  },
  {
    group: 'lifecycle',
    name: 'a job that is moved here past its deadline is never started',
    async run(b) {
      await b.enqueue({ deadline: b.target.now() + 500, ...past(b, { attempt: 1, fence: 1 }) })
      await b.target.advance(1000)
      assert.deepEqual(await b.takeIfAny(), [])
      assert.deepEqual(
        (await b.record('job-1')).faults.map(({ code }) => code),
        ['DEADLINE_PASSED'],
      )
    },
  },
  {
    group: 'admin',
    name: 'waiting and dead jobs are forgotten without a word; those that run or have ended are not',
    async run(b) {
      await b.enqueue({}, {})
      const [running, done] = await b.take(2)
      if (running === undefined || done === undefined) throw new Error('two were taken')
      await b.settle(done, { type: 'done' })
      const onDone = [notice]
      await b.enqueue(
        { onDone },
        { onDone, runAt: b.target.now() + 60_000, deadline: b.target.now() + 70_000 },
        { onDone, ...died(b) },
        { onDone, ...past(b, { attempt: 1, fence: 1 }) },
      )
      const { eventId } = await b.ledger.find({ limit: 1 })
      const all = ['job-1', 'job-2', 'job-3', 'job-4', 'job-5', 'job-6', 'nobody']
      const acted = await b.ledger.act({ type: 'forget', ids: all })
      assert.deepEqual(acted, {
        count: 4,
        verdicts: ['refused', 'refused', 'done', 'done', 'done', 'done', 'unknown'],
      })
      const page = await b.ledger.find({})
      assert.deepEqual([page.jobs.map(({ id }) => id), page.eventId], [['job-2', 'job-1'], eventId])
      const { ready, scheduled, running: held, dead } = await b.backend.broker.depth('q')
      assert.deepEqual([ready, scheduled, held, dead], [0, 0, 1, 0])
      assert.deepEqual([await b.takeIfAny(), await b.takeIfAny(1, 'notices')], [[], []])
    },
  },
  {
    group: 'admin',
    name: 'a forgotten job gives way to the next of its key, and its id and idempotency key can be used again',
    async run(b) {
      const once = { idempotency: { key: 'once', fingerprint: 'f' } }
      await b.enqueue({ key: 'k', ...once }, { key: 'k' }, { id: 'plain' })
      await b.ledger.act({ type: 'forget', ids: ['job-1', 'plain'] })
      assert.deepEqual(ids(await b.take(1)), ['job-2'])
      await b.enqueue({ id: 'plain', ...once }, {})
      assert.deepEqual(ids(await b.take(2)), ['plain', 'job-5'])
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
]

const notice = { id: 'notice', task: 'tell', queue: 'notices', priority: 4, maxAttempts: 1 }
