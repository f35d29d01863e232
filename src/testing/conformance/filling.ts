import assert from 'node:assert/strict'
import type { Job } from '../../job/job.ts'
import type { Bench, ConformanceCase } from './case.ts'
import { roomFor } from './case.ts'

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
  'is tried again later': (b) => b.end({ type: 'retry', runAt: b.target.now() + 60_000, fault: b.fault() }),
  'is put off': (b) => b.end({ type: 'snooze', runAt: b.target.now() + 60_000 }),
  'is released': (b) => b.end({ type: 'release' }),
  'loses its lease': async (b) => {
    await b.takeOne('q', 300)
    await b.target.advance(600)
  },
  'is dead and tried again': async (b) => {
    await b.end({ type: 'dead', fault: b.fault() })
    assert.deepEqual(await offer(b, bytes(LIMIT)), ['queued'])
    await b.takeOne()
    await b.ledger.act({ type: 'retry', ids: ['job-1'] })
  },
}

/** How much may wait in a queue, in bytes. */
export const filling: readonly ConformanceCase[] = [
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
]
