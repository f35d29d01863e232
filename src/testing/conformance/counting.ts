import assert from 'node:assert/strict'
import { defaultRetention } from '../../backend.ts'
import type { Claim, Totals } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { ConformanceCase } from './case.ts'
import { Bench, roomFor } from './case.ts'

const LIMIT = 100
const room = roomFor({ bytes: LIMIT })

/** A payload of so many bytes. */
const bytes = (n: number): Pick<Job, 'payload'> => ({ payload: JSON.stringify('x'.repeat(n - 2)) })

/** What becomes of a job that is offered within the limit. */
async function offer(b: Bench, ...jobs: Partial<Job>[]): Promise<string[]> {
  const answers = await b.backend.broker.enqueue(
    jobs.map((one) => b.job(one)),
    room,
  )
  return answers.map(({ status, limit }) => (limit === undefined ? status : `${status} of ${limit}`))
}

async function waitingBytes(b: Bench): Promise<number | null> {
  return (await b.backend.broker.depth('q')).waitingBytes
}

async function totals(b: Bench, queue = 'q'): Promise<Totals | null> {
  return (await b.depth(queue)).totals
}

/** Ways of a job out of the line, from where it holds all the room there is. */
const leaving: Readonly<Record<string, (b: Bench) => Promise<unknown>>> = {
  'is claimed': (b) => b.takeOne(),
  'is cancelled': (b) => b.ledger.act({ type: 'cancel', ids: ['job-1'] }),
  'passes its deadline': async (b) => {
    await b.target.advance(600)
    assert.deepEqual(await b.takeIfAny(), [])
  },
  'has moved to another store': (b) => b.ledger.act({ type: 'forget', ids: ['job-1'] }),
}

/** Ways of a job back into it. */
const comingBack: Readonly<Record<string, (b: Bench) => Promise<unknown>>> = {
  'is tried again later': (b) => end(b, { type: 'retry', runAt: b.target.now() + 60_000, fault: b.fault() }),
  'is put off': (b) => end(b, { type: 'snooze', runAt: b.target.now() + 60_000 }),
  'is released': (b) => end(b, { type: 'release' }),
  'loses its lease': async (b) => {
    await b.takeOne('q', 300)
    await b.target.advance(600)
  },
  'is dead and tried again': async (b) => {
    await end(b, { type: 'dead', fault: b.fault() })
    assert.deepEqual(await offer(b, bytes(LIMIT)), ['queued'])
    await b.takeOne()
    await b.ledger.act({ type: 'retry', ids: ['job-1'] })
  },
}

async function end(b: Bench, ending: Ending): Promise<void> {
  assert.equal(await b.settle(await b.takeOne(), ending), true)
}

/** What a store counts: the bytes that wait in a queue, what is in all queues, and totals. */
export const counting: readonly ConformanceCase[] = [
  {
    group: 'flow',
    name: 'a job whose payload would go over the limit in bytes is refused, and what fits beside it is taken',
    async run(b) {
      assert.deepEqual(
        await offer(b, bytes(60), bytes(41), bytes(40), bytes(2), { queue: 'r', ...bytes(LIMIT) }),
        ['queued', 'full of bytes', 'queued', 'full of bytes', 'queued'],
      )
      assert.equal(await waitingBytes(b), LIMIT)
      assert.deepEqual(await offer(b, { queue: 's', ...bytes(LIMIT + 1) }), ['full of bytes'])
    },
  },
  {
    group: 'flow',
    name: 'which of its limits a queue has met is told',
    async run(b) {
      const both = roomFor({ jobs: 1, bytes: LIMIT })
      const answers = await b.backend.broker.enqueue([b.job(bytes(LIMIT + 1)), b.job(), b.job()], both)
      assert.deepEqual(
        answers.map(({ status, limit }) => [status, limit]),
        [
          ['full', 'bytes'],
          ['queued', undefined],
          ['full', 'jobs'],
        ],
      )
    },
  },
  {
    group: 'flow',
    name: 'the bytes that wait are those of the payload in UTF-8, and of nothing else of the job',
    async run(b) {
      const payload = JSON.stringify('é'.repeat(20) + '🚚'.repeat(10))
      const far = b.target.now() + 60_000
      await b.enqueue(
        { payload, tenant: 'a', trace: { traceparent: 'x' }, idempotency: { key: 'k', fingerprint: 'f' } },
        { payload, key: 'k', deadline: far },
        { payload, key: 'k' },
        { payload, runAt: far },
      )
      assert.equal(await waitingBytes(b), 4 * 82)
      await b.take(2)
      assert.equal(await waitingBytes(b), 2 * 82)
    },
  },
  {
    group: 'flow',
    name: 'of many jobs of a batch as many are taken as there is room for, and those that are claimed make room',
    async run(b) {
      const many = Array.from({ length: 30 }, () => bytes(8))
      const took = (answers: string[]): number => answers.filter((answer) => answer === 'queued').length
      assert.equal(took(await offer(b, ...many)), 12)
      await b.take(7)
      assert.equal(await waitingBytes(b), 5 * 8)
      assert.equal(took(await offer(b, ...many)), 7)
      assert.equal(await waitingBytes(b), 12 * 8)
      assert.deepEqual(await offer(b, bytes(4), bytes(2)), ['queued', 'full of bytes'])
    },
  },
  {
    group: 'flow',
    name: 'an id that is remembered takes no room, and is known where there is none',
    async run(b) {
      assert.deepEqual(await offer(b, { id: 'same', ...bytes(LIMIT) }), ['queued'])
      assert.deepEqual(await offer(b, { id: 'same', ...bytes(LIMIT) }), ['duplicate'])
      await b.enqueue({ id: 'same', ...bytes(LIMIT) })
      assert.equal(await waitingBytes(b), LIMIT)
    },
  },
  ...Object.entries(leaving).map(
    ([how, leave]): ConformanceCase => ({
      group: 'flow',
      name: `a job that ${how} gives its bytes back`,
      async run(b) {
        const deadline = how === 'passes its deadline' ? { deadline: b.target.now() + 500 } : {}
        await b.enqueue({ ...bytes(LIMIT), ...deadline })
        assert.deepEqual(await offer(b, bytes(2)), ['full of bytes'])
        await leave(b)
        assert.equal(await waitingBytes(b), 0)
        assert.deepEqual(await offer(b, bytes(LIMIT)), ['queued'])
      },
    }),
  ),
  ...Object.entries(comingBack).map(
    ([how, comeBack]): ConformanceCase => ({
      group: 'flow',
      name: `a job that ${how} takes its bytes of room again, whatever there is`,
      async run(b) {
        await b.enqueue(bytes(LIMIT))
        await comeBack(b)
        assert.equal(await waitingBytes(b), LIMIT)
        assert.deepEqual(await offer(b, bytes(2)), ['full of bytes'])
      },
    }),
  ),
  {
    group: 'flow',
    name: 'of jobs that are moved here those that wait take room, and dead ones do when they are tried again',
    async run(b) {
      const past = { attempt: 1, fence: 1, acceptedAt: b.target.now(), faults: [] }
      const far = b.target.now() + 60_000
      await b.enqueue(
        { ...bytes(10), past: { ...past, state: 'queued' } },
        { ...bytes(20), past: { ...past, state: 'scheduled', dueAt: far } },
        { ...bytes(40), id: 'dead', past: { ...past, state: 'dead', endedAt: b.target.now() } },
      )
      assert.equal(await waitingBytes(b), 30)
      await b.ledger.act({ type: 'retry', ids: ['dead'] })
      assert.equal(await waitingBytes(b), 70)
    },
  },
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
      await end(b, { type: 'snooze', runAt: b.target.now() })
      await end(b, { type: 'release' })
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
      await end(b, { type: 'dead', fault })
      await b.ledger.act({ type: 'retry', ids: ['job-1'] })
      await end(b, { type: 'dead', fault })
      await end(b, { type: 'dead', fault })
      await b.ledger.act({ type: 'redrive', filter: {}, before: b.target.now() + 60_000, limit: 10 })
      assert.deepEqual(await totals(b), { accepted: 2, done: 0, failed: 0, dead: 3, cancelled: 0 })
      await end(b, { type: 'done' })
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
        await end(b, { type: 'done' })
        await end(b, { type: 'dead', fault: b.fault() })
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
