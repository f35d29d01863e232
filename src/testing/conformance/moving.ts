import assert from 'node:assert/strict'
import type { ConformanceCase } from './case.ts'
import { ids, needsSecond } from './case.ts'

/** Envelope, delivery and acknowledgement. */
export const moving: readonly ConformanceCase[] = [
  {
    group: 'envelope',
    name: 'of jobs that come together each has its own trace, or none',
    async run(b) {
      const jobs = Array.from({ length: 150 }, (_, nth) =>
        b.job({ id: `job-${nth}`, ...(nth % 10 === 3 ? { trace: { traceparent: `00-${nth}` } } : {}) }),
      )
      await b.enqueue(...jobs)
      const claims = await b.take(jobs.length)
      assert.deepEqual(
        new Map(claims.map(({ job }) => [job.id, job.trace?.traceparent])),
        new Map(jobs.map(({ id, trace }) => [id, trace?.traceparent])),
      )
    },
  },
  ...[
    'ascii',
    'ünïcödé 日本語 🎉',
    '\\u0000 escaped',
    '""',
    '\ud800 lone'.toWellFormed(),
    'x'.repeat(200_000),
    "Robert'); drop table jobs;--",
  ].map(
    (text, index): ConformanceCase => ({
      group: 'envelope',
      name: `a payload comes out as it went in (${index + 1}: ${text.length} characters)`,
      async run(b) {
        const payload = JSON.stringify({ text })
        await b.enqueue({ payload })
        assert.equal((await b.takeOne()).job.payload, payload)
      },
    }),
  ),
  {
    group: 'envelope',
    name: 'every field of a job reaches the worker',
    async run(b) {
      const [job] = await b.enqueue({
        priority: 7,
        key: 'k',
        deadline: b.target.now() + 60_000,
        maxAttempts: 9,
        trace: { traceparent: '00-a-b-01' },
      })
      assert.deepEqual((await b.takeOne()).job, job)
    },
  },
  {
    group: 'deliver',
    name: 'a queued job is claimed once',
    async run(b) {
      await b.enqueue({})
      await b.take(1)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'deliver',
    name: 'a claim that waits is woken by a job',
    async run(b) {
      const waiting = b.take(1)
      await b.enqueue({})
      assert.equal((await waiting).length, 1)
    },
  },
  {
    group: 'deliver',
    name: 'competing claims get different jobs',
    async run(b) {
      await b.enqueue(...Array.from({ length: 20 }, () => ({})))
      const claims = (await Promise.all([b.take(5), b.take(5), b.take(5), b.take(5)])).flat()
      assert.equal(new Set(ids(claims)).size, 20)
    },
  },
  {
    group: 'deliver',
    name: 'two connections never hold one job',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      await b.enqueue(...Array.from({ length: 10 }, () => ({})))
      const claims = (await Promise.all([b.take(5), b.take(5, 'q', 30_000, other)])).flat()
      assert.equal(new Set(ids(claims)).size, 10)
    },
  },
  {
    group: 'deliver',
    name: 'a claim on one connection is woken by a job from another',
    skip: needsSecond,
    async run(b) {
      const other = await b.reopen()
      const waiting = b.take(1)
      await other.broker.enqueue([b.job()])
      const polling = setInterval(() => void b.target.advance(50), 20)
      await waiting.finally(() => clearInterval(polling))
    },
  },
  {
    group: 'deliver',
    name: 'queues are apart',
    async run(b) {
      await b.enqueue({ queue: 'a' }, { queue: 'b' })
      assert.deepEqual(ids(await b.take(1, 'b')), ['job-2'])
      assert.deepEqual(await b.takeIfAny(10, 'b'), [])
    },
  },
  {
    group: 'deliver',
    name: 'jobs of one priority come in the order of acceptance',
    async run(b) {
      await b.enqueue(...Array.from({ length: 10 }, () => ({})))
      const claims = await b.take(10)
      assert.deepEqual(
        ids(claims),
        Array.from({ length: 10 }, (_, i) => `job-${i + 1}`),
      )
    },
  },
  {
    group: 'deliver',
    name: 'a claim answers no more jobs than asked',
    async run(b) {
      await b.enqueue({}, {}, {})
      const claims = await b.backend.broker.claim('q', {
        limit: 2,
        leaseMs: 1000,
        worker: 'w',
        signal: AbortSignal.timeout(2000),
      })
      assert.ok(claims.length >= 1 && claims.length <= 2)
    },
  },
  {
    group: 'deliver',
    name: 'who waits where nothing is there is told that it will hear of what comes',
    async run(b) {
      const abort = new AbortController()
      const waiting = new Promise<void>((resolve) => {
        const want = { limit: 1, leaseMs: 30_000, worker: 'conformance', signal: abort.signal }
        void b.backend.broker.claim('q', { ...want, onWaiting: resolve })
      })
      await waiting
      abort.abort()
    },
  },
  {
    group: 'ack',
    name: 'a done job ends done with its result and never comes again',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      assert.equal(await b.settle(claim, { type: 'done', result: '{"ok":true}' }), true)
      const { state, result, endedAt, worker } = await b.record('job-1')
      assert.deepEqual({ state, result, worker }, { state: 'done', result: '{"ok":true}', worker: undefined })
      assert.ok(endedAt !== undefined)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'ack',
    name: 'a second settle of one claim is refused and changes nothing',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      await b.settle(claim, { type: 'done', result: '1' })
      assert.equal(await b.settle(claim, { type: 'done', result: '2' }), false)
      assert.equal(await b.settle(claim, { type: 'dead', fault: b.fault() }), false)
      assert.equal((await b.record('job-1')).result, '1')
    },
  },
  {
    group: 'ack',
    name: 'a settle with a foreign fence is refused',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      assert.equal(await b.settle({ ...claim, fence: claim.fence + 1 }, { type: 'done' }), false)
      assert.equal(await b.settle(claim, { type: 'done' }), true)
    },
  },
  {
    group: 'ack',
    name: 'of a batch only what is held is settled',
    async run(b) {
      await b.enqueue({}, {}, {})
      const claims = await b.take(3)
      const [, second] = claims
      if (second !== undefined) await b.settle(second, { type: 'done' })
      assert.deepEqual(
        await b.backend.broker.settle(claims.map((claim) => ({ claim, type: 'done' as const }))),
        [true, false, true],
      )
    },
  },
  {
    group: 'ack',
    name: 'a released job comes again and costs no attempt',
    async run(b) {
      await b.enqueue({})
      const first = await b.takeOne()
      assert.equal(await b.settle(first, { type: 'release' }), true)
      const again = await b.takeOne()
      assert.equal(again.attempt, 1)
      assert.ok(again.fence > first.fence)
    },
  },
  {
    group: 'ack',
    name: 'a dead job keeps its payload and its reason',
    async run(b) {
      await b.enqueue({})
      await b.settle(await b.takeOne(), { type: 'dead', fault: b.fault('hopeless') })
      const { state, faults, payload } = await b.record('job-1')
      assert.deepEqual([state, faults.at(-1)?.message, payload], ['dead', 'hopeless', '{"number":1}'])
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
]
