import assert from 'node:assert/strict'
import type { OutboxWant } from '../../ledger.ts'
import type { Bench, ConformanceCase, ConformanceTarget } from './case.ts'
import { ids } from './case.ts'

const AGAIN_MS = 5000

/** What a ledger that is joined with a message broker must remember of its messages. */
export const publishing: readonly ConformanceCase[] = [
  outbox('what waited before the first question is due, and what comes after', async (b) => {
    await b.enqueue({})
    assert.deepEqual(await due(b), ['job-1'])
    await b.enqueue({})
    assert.deepEqual(await due(b), ['job-2'])
  }),
  outbox('a job is due once, and again after a while unless it is marked', async (b) => {
    await b.enqueue({})
    assert.deepEqual(await due(b), ['job-1'])
    assert.deepEqual(await due(b), [])
    await b.target.advance(AGAIN_MS)
    assert.deepEqual(await due(b), ['job-1'])
    await due(b, { published: ['job-1'] })
    await b.target.advance(AGAIN_MS)
    assert.deepEqual(await due(b), [])
  }),
  outbox('no more jobs are answered than asked for', async (b) => {
    await b.enqueue({}, {}, {})
    const some = await due(b, { limit: 2 })
    assert.equal(some.length, 2)
    assert.deepEqual([...some, ...(await due(b))].sort(), ['job-1', 'job-2', 'job-3'])
  }),
  outbox('a job is due when it can start, not before', async (b) => {
    await b.enqueue({ key: 'k' }, { key: 'k' }, { runAt: b.target.now() + 1000 })
    assert.deepEqual(await publish(b), ['job-1'])
    const [first] = await claim(b, 1)
    assert.deepEqual(await publish(b), [])
    if (first !== undefined) await b.settle(first, { type: 'done' })
    assert.deepEqual(await publish(b), ['job-2'])
    await b.target.advance(1000)
    assert.deepEqual(await publish(b), ['job-3'])
  }),
  outbox('a job that ended or is claimed is not due', async (b) => {
    await b.enqueue({}, {})
    await due(b, { limit: 0 })
    await b.ledger.act({ type: 'cancel', ids: ['job-1'] })
    assert.deepEqual(ids(await claim(b, 1)), ['job-2'])
    assert.deepEqual(await due(b), [])
  }),
  outbox('whose message brought a job that was not published yet is due again', async (b) => {
    await b.enqueue({ priority: 1 })
    await publish(b)
    await b.enqueue({ priority: 9 })
    assert.deepEqual(ids(await claim(b, 1)), ['job-2'])
    assert.deepEqual(await publish(b), ['job-1'])
    assert.deepEqual(ids(await claim(b, 1)), ['job-1'])
    assert.deepEqual(await publish(b), [])
  }),
  outbox('whose message brought another published job is served by that of the other', async (b) => {
    await b.enqueue({ priority: 1 }, { priority: 9 })
    await publish(b)
    await claim(b, 1)
    assert.deepEqual(await publish(b), [])
  }),
  outbox('a message that is spent before it is marked is spent', async (b) => {
    await b.enqueue({ priority: 1 })
    await due(b)
    await b.enqueue({ priority: 9 })
    assert.deepEqual(ids(await claim(b, 1)), ['job-2'])
    await due(b, { published: ['job-1'], limit: 0 })
    assert.deepEqual(await publish(b), ['job-1'])
  }),
  outbox('a job that comes back before its message is marked is due again', async (b) => {
    await b.enqueue({})
    await due(b)
    const [first] = await claim(b, 1)
    if (first !== undefined) await b.settle(first, { type: 'release' })
    await due(b, { published: ['job-1'], limit: 0 })
    assert.deepEqual(await publish(b), ['job-1'])
  }),
  outbox('messages that found less than they were for are owed to nobody', async (b) => {
    await b.enqueue({}, {})
    await publish(b)
    assert.equal((await claim(b, 5)).length, 2)
    assert.deepEqual(await claim(b, 5), [])
    await b.enqueue({})
    assert.deepEqual(await publish(b), ['job-3'])
    assert.deepEqual(await publish(b), [])
  }),
  outbox(
    'nothing of a paused queue is due; what was spent and what came meanwhile is when it is resumed',
    async (b) => {
      await b.enqueue({}, {}, { queue: 'other' })
      await publish(b)
      await b.ledger.act({ type: 'pause', queue: 'q' })
      assert.deepEqual(await claim(b, 1), [])
      await b.enqueue({}, { queue: 'other' })
      assert.deepEqual(await publish(b), ['job-5'])
      await b.ledger.act({ type: 'resume', queue: 'q' })
      const again = await publish(b)
      assert.equal(again.length, 2)
      assert.ok(again.includes('job-4'))
      assert.deepEqual(await publish(b), [])
    },
  ),
  outbox('where the broker has fewer messages than are out, the rest are due again', async (b) => {
    await b.enqueue({}, {}, {}, { queue: 'other' })
    await publish(b)
    await b.target.advance(AGAIN_MS)
    const lost = (messages: number | null, before = b.target.now()) =>
      publish(b, { lost: { queue: 'q', messages, before } })
    assert.deepEqual(await lost(3), [])
    assert.deepEqual(await lost(1, b.target.now() - AGAIN_MS), [], 'they are too young')
    assert.equal((await lost(1)).length, 2)
    assert.deepEqual(await lost(3), [])
    assert.equal((await lost(null)).length, 1, 'a broker that cannot tell gets one more')
  }),
]

function outbox(name: string, run: (b: Bench) => Promise<void>): ConformanceCase {
  return { group: 'outbox', name, skip: isJoined, run }
}

function isJoined({ name }: ConformanceTarget): string | undefined {
  return name.includes('joined') ? 'its own sweep asks what is due' : undefined
}

/** The ids of what is due, in the order of acceptance. */
async function due(b: Bench, want: Partial<OutboxWant> = {}): Promise<string[]> {
  const jobs = await b.ledger.outbox({ published: [], limit: 100, againMs: AGAIN_MS, ...want })
  return jobs.map(({ id }) => id).sort()
}

/** Takes what is due and marks it. */
async function publish(b: Bench, want: Partial<OutboxWant> = {}): Promise<string[]> {
  const published = await due(b, want)
  await b.ledger.outbox({ published, limit: 0, againMs: AGAIN_MS })
  return published
}

/** A claim by so many messages. */
function claim(b: Bench, limit: number) {
  return b.ledger.claim('q', { limit, leaseMs: 30_000, worker: 'w' })
}
