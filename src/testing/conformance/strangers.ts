import assert from 'node:assert/strict'
import type { ConformanceCase, ConformanceTarget } from './case.ts'
import { ids } from './case.ts'

/** Messages that other programs publish to a message broker, which a ledger beside it has never heard of. */
export const strangers: readonly ConformanceCase[] = [
  {
    group: 'strangers',
    name: "a stranger's message is a job: it is delivered, settled and never comes again",
    skip: hasStrangers,
    async run(b) {
      await publish(b.target, [b.job({ payload: '{"from":"elsewhere"}' })])
      const claim = await b.takeOne()
      assert.deepEqual(
        [claim.job.task, claim.job.payload, claim.attempt],
        ['test', '{"from":"elsewhere"}', 1],
      )
      assert.equal(await b.settle(claim, { type: 'done' }), true)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'strangers',
    name: "strangers' messages and jobs of our own share a queue: each is delivered once",
    skip: hasStrangers,
    async run(b) {
      const own = await b.enqueue({}, {}, {})
      const theirs = [b.job(), b.job(), b.job()]
      await publish(b.target, theirs)
      const claims = await b.take(6)
      assert.deepEqual(ids(claims).sort(), [...own, ...theirs].map(({ id }) => id).sort())
      for (const claim of claims) assert.equal(await b.settle(claim, { type: 'done' }), true)
      assert.deepEqual(await b.takeIfAny(), [])
    },
  },
  {
    group: 'strangers',
    name: 'a body that is no JSON comes as it is, to be told of',
    skip: hasStrangers,
    async run(b) {
      await publish(b.target, [b.job({ payload: '{broken' })])
      assert.equal((await b.takeOne()).job.payload, '{broken')
    },
  },
  {
    group: 'strangers',
    name: 'the same message twice is one job, and its end is remembered',
    needsLedger: true,
    skip: hasStrangers,
    async run(b) {
      const job = b.job()
      await publish(b.target, [job, job])
      await b.settle(await b.takeOne(), { type: 'done', result: '1' })
      assert.deepEqual(await b.takeIfAny(), [])
      await publish(b.target, [job])
      assert.deepEqual(await b.takeIfAny(), [])
      assert.equal((await b.record(job.id)).state, 'done')
    },
  },
  {
    group: 'strangers',
    name: 'a job that is too long for a message runs all the same, with its whole payload',
    needsLedger: true,
    skip: (_, { maxMessageBytes }) =>
      maxMessageBytes > 2_000_000 ? 'takes messages longer than any payload' : undefined,
    async run(b) {
      const payload = JSON.stringify('x'.repeat(2_000_000))
      await b.enqueue({ payload }, {})
      const claims = await b.take(2)
      assert.deepEqual(
        claims.map(({ job }) => job.payload.length),
        [payload.length, 12],
      )
    },
  },
]

function hasStrangers({ publishAsStranger }: ConformanceTarget): string | undefined {
  return publishAsStranger === undefined ? 'no other program publishes to it' : undefined
}

async function publish(target: ConformanceTarget, jobs: readonly Parameters<Publish>[0][]): Promise<void> {
  for (const job of jobs) await target.publishAsStranger?.(job)
}

type Publish = NonNullable<ConformanceTarget['publishAsStranger']>
