import assert from 'node:assert/strict'
import type { Bench, ConformanceCase } from './case.ts'
import { ids, needsSecond, roomFor } from './case.ts'
import { hostileTexts } from './hostile.ts'

/** Dedup, flow, life cycle, administration and hostile input. */
export const steering: readonly ConformanceCase[] = [
  {
    group: 'dedup',
    name: 'an id is accepted once, in one batch and across calls',
    async run(b) {
      const job = b.job({ id: 'same' })
      const answers = await b.backend.broker.enqueue([job, job])
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['queued', 'duplicate'],
      )
      assert.deepEqual(
        (await b.backend.broker.enqueue([job])).map(({ status }) => status),
        ['duplicate'],
      )
      await b.take(1)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'dedup',
    name: 'an id is remembered after its job has ended',
    async run(b) {
      await b.enqueue({ id: 'same' })
      await b.settle(await b.takeOne(), { type: 'done' })
      assert.equal((await b.backend.broker.enqueue([b.job({ id: 'same' })]))[0]?.status, 'duplicate')
    },
  },
  {
    group: 'dedup',
    name: 'of two connections that offer one id, one is accepted',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      const job = b.job({ id: 'same' })
      const answers = await Promise.all([b.backend.broker.enqueue([job]), other.broker.enqueue([job])])
      assert.deepEqual(
        answers
          .flat()
          .map(({ status }) => status)
          .sort(),
        ['duplicate', 'queued'],
      )
    },
  },
  {
    group: 'flow',
    name: 'a full queue refuses what is too many and takes the rest',
    async run(b) {
      const answers = await b.backend.broker.enqueue(
        [b.job(), b.job(), b.job(), b.job({ queue: 'r' })],
        roomFor({ jobs: 2 }),
      )
      assert.deepEqual(
        answers.map(({ status }) => status),
        ['queued', 'queued', 'full', 'queued'],
      )
      await b.take(1)
      assert.equal((await b.backend.broker.enqueue([b.job()], roomFor({ jobs: 2 })))[0]?.status, 'queued')
    },
  },
  {
    group: 'flow',
    name: 'a paused queue starts nothing and goes on when resumed',
    async run(b) {
      await b.ledger.act({ type: 'pause', queue: 'q' })
      await b.enqueue({})
      assert.deepEqual(await b.takeIfAny(), [])
      assert.equal((await b.depth('q')).paused, true)
      await b.ledger.act({ type: 'resume', queue: 'q' })
      await elapse(b, 6000)
      assert.equal((await b.take(1)).length, 1)
    },
  },
  {
    group: 'flow',
    name: 'a claim that is aborted answers empty',
    async run(b) {
      const abort = new AbortController()
      const waiting = b.backend.broker.claim('q', {
        limit: 1,
        leaseMs: 1000,
        worker: 'w',
        signal: abort.signal,
      })
      abort.abort()
      assert.deepEqual(await waiting, [])
      await b.enqueue({})
      assert.equal((await b.take(1)).length, 1)
    },
  },
  {
    group: 'lifecycle',
    name: 'closing twice is closing',
    async run(b) {
      await b.backend.close()
      await b.backend.close()
    },
  },
  {
    group: 'lifecycle',
    name: 'another connection sees what was accepted, run and ended',
    needsLedger: true,
    skip: needsSecond,
    async run(b) {
      await b.enqueue({}, {})
      await b.settle(await b.takeOne(), { type: 'done', result: '7' })
      const other = await b.reopen()
      const page = await other.ledger?.find({})
      assert.deepEqual(
        page?.jobs.map(({ id, state, result }) => [id, state, result]),
        [
          ['job-2', 'queued', undefined],
          ['job-1', 'done', '7'],
        ],
      )
    },
  },
  {
    group: 'admin',
    name: 'find answers by queue, state, task, key, id and time',
    async run(b) {
      await b.enqueue(
        { queue: 'a', task: 't1', key: 'k1' },
        { queue: 'b', task: 't2', createdAt: b.target.now() + 5000 },
      )
      const found = async (query: object): Promise<string[]> =>
        (await b.ledger.find(query)).jobs.map(({ id }) => id)
      assert.deepEqual(await found({ queue: 'a' }), ['job-1'])
      assert.deepEqual(await found({ task: 't2' }), ['job-2'])
      assert.deepEqual(await found({ key: 'k1' }), ['job-1'])
      assert.deepEqual(await found({ state: 'queued' }), ['job-2', 'job-1'])
      assert.deepEqual(await found({ state: 'dead' }), [])
      assert.deepEqual(await found({ ids: ['job-2', 'nobody'] }), ['job-2'])
      assert.deepEqual(await found({ from: b.target.now() + 1000 }), ['job-2'])
      assert.deepEqual(await found({ to: b.target.now() + 1000 }), ['job-1'])
    },
  },
  {
    group: 'admin',
    name: 'pages neither skip nor repeat while jobs are added',
    async run(b) {
      await b.enqueue(...Array.from({ length: 25 }, () => ({})))
      const seen: string[] = []
      let cursor: string | undefined
      do {
        const page = await b.ledger.find({ limit: 10, ...(cursor === undefined ? {} : { cursor }) })
        seen.push(...page.jobs.map(({ id }) => id))
        cursor = page.next
        await b.enqueue({})
      } while (cursor !== undefined)
      assert.deepEqual(
        seen,
        Array.from({ length: 25 }, (_, i) => `job-${25 - i}`),
      )
    },
  },
  {
    group: 'admin',
    name: 'depth counts what is ready, running, scheduled and dead, and tells the oldest age',
    async run(b) {
      await b.enqueue({}, {}, {}, { runAt: b.target.now() + 60_000 })
      await b.settle(await b.takeOne(), { type: 'dead', fault: b.fault() })
      await b.takeOne()
      await elapse(b, 1000)
      const { ready, running, scheduled, dead, oldestAgeMs, exact } = await b.depth('q')
      assert.deepEqual(
        { ready, running, scheduled, dead, exact },
        { ready: 1, running: 1, scheduled: 1, dead: 1, exact: true },
      )
      assert.ok((oldestAgeMs ?? 0) >= 1000)
    },
  },
  {
    group: 'admin',
    name: 'an empty queue has no age and counts of nought',
    async run(b) {
      const { ready, running, scheduled, dead, oldestAgeMs } = await b.depth('nobody')
      assert.deepEqual([ready, running, scheduled, dead, oldestAgeMs], [0, 0, 0, 0, null])
    },
  },
  {
    group: 'admin',
    name: 'a waiting job is cancelled at once, an ended or unknown one is not',
    async run(b) {
      await b.enqueue({}, { runAt: b.target.now() + 60_000 }, { queue: 'r' })
      await b.settle(await b.takeOne('r'), { type: 'done' })
      const { verdicts, count } = await b.ledger.act({
        type: 'cancel',
        ids: ['job-1', 'job-2', 'job-3', 'nobody', 'job-1'],
      })
      assert.deepEqual([count, verdicts], [2, ['done', 'done', 'ended', 'unknown', 'ended']])
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'admin',
    name: 'a running job is asked to stop: its worker hears of it, and its retry ends cancelled',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      assert.deepEqual((await b.ledger.act({ type: 'cancel', ids: ['job-1'] })).verdicts, ['cancelling'])
      assert.deepEqual(await b.backend.broker.renew([{ claim }], 30_000), ['cancelled'])
      assert.equal(await b.settle(claim, { type: 'retry', runAt: b.target.now(), fault: b.fault() }), true)
      assert.equal((await b.record('job-1')).state, 'cancelled')
    },
  },
  {
    group: 'admin',
    name: 'a job that was done before it heard of the cancel is done',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      await b.ledger.act({ type: 'cancel', ids: ['job-1'] })
      assert.equal(await b.settle(claim, { type: 'done', result: '1' }), true)
      const { state, cancelling } = await b.record('job-1')
      assert.deepEqual([state, cancelling], ['done', undefined])
    },
  },
  {
    group: 'admin',
    name: 'a dead letter can be tried again with all its attempts, any other job cannot',
    async run(b) {
      await b.enqueue({ maxAttempts: 1 }, { queue: 'r' })
      await b.settle(await b.takeOne(), { type: 'dead', fault: b.fault() })
      assert.deepEqual((await b.ledger.act({ type: 'retry', ids: ['job-1', 'job-2', 'nobody'] })).verdicts, [
        'done',
        'refused',
        'unknown',
      ])
      const again = await b.takeOne()
      assert.deepEqual([again.job.id, again.attempt], ['job-1', 1])
    },
  },
  ...(['redrive', 'purge'] as const).map(
    (type): ConformanceCase => ({
      group: 'admin',
      name: `${type} takes the dead letters that fit, a batch at a time`,
      async run(b) {
        await b.enqueue({ task: 't1' }, { task: 't1' }, { task: 't2' })
        for (const claim of await b.take(3)) await b.settle(claim, { type: 'dead', fault: b.fault() })
        const before = b.target.now() + 60_000
        const action = { type, filter: { task: 't1' }, before, limit: 1 }
        assert.equal((await b.ledger.act(action)).count, 1)
        assert.equal((await b.ledger.act(action)).count, 1)
        assert.equal((await b.ledger.act(action)).count, 0)
        const { dead, ready } = await b.depth('q')
        assert.deepEqual([dead, ready], [1, type === 'redrive' ? 2 : 0])
      },
    }),
  ),
  ...hostileTexts.map(
    (text): ConformanceCase => ({
      group: 'security',
      name: `a hostile text stays data everywhere: ${JSON.stringify(text).slice(0, 30)}`,
      async run(b) {
        await b.enqueue({ id: text, key: text, task: text, queue: text, payload: JSON.stringify(text) })
        assert.deepEqual(
          (await b.ledger.find({ queue: text, key: text, task: text })).jobs.map(({ id }) => id),
          [text],
        )
        const claims = await b.take(1, text)
        assert.deepEqual(ids(claims), [text])
        for (const claim of claims)
          assert.equal(await b.settle(claim, { type: 'done', result: JSON.stringify(text) }), true)
        assert.equal((await b.record(text)).result, JSON.stringify(text))
      },
    }),
  ),
]

/** Lets time pass on either kind of clock. */
function elapse(b: Bench, ms: number): Promise<void> {
  return b.target.advance(ms)
}
