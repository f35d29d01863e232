import assert from 'node:assert/strict'
import type { JobEvent, JobEventType } from '../../ledger.ts'
import type { Bench, ConformanceCase } from './case.ts'

/** What can be watched while it happens and read later. */
export const watching: readonly ConformanceCase[] = [
  {
    group: 'events',
    name: 'the events of a job come in order and can be taken up after any of them',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      await b.backend.broker.renew(
        [{ claim, progress: '50', log: [{ at: b.target.now(), message: 'half' }] }],
        30_000,
      )
      await b.settle(claim, { type: 'done' })
      const all = await events(b, 0, 4)
      assert.deepEqual(
        all.map(({ type }) => type),
        ['accepted', 'started', 'progress', 'done'],
      )
      assert.equal(all[2]?.data, '50')
      const rest = await events(b, all[1]?.eventId ?? 0, 2)
      assert.deepEqual(rest, all.slice(2))
    },
  },
  {
    group: 'events',
    name: 'progress and log lines are remembered',
    async run(b) {
      await b.enqueue({})
      const claim = await b.takeOne()
      await b.backend.broker.renew(
        [{ claim, progress: '{"done":1}', log: [{ at: 1, message: 'one' }] }],
        30_000,
      )
      await b.backend.broker.renew([{ claim, log: [{ at: 2, message: 'two' }] }], 30_000)
      const { progress, log } = await b.record('job-1')
      assert.deepEqual(
        [progress, log],
        [
          '{"done":1}',
          [
            { at: 1, message: 'one' },
            { at: 2, message: 'two' },
          ],
        ],
      )
    },
  },
  {
    group: 'events',
    name: 'a watcher is told of what happens after it began',
    async run(b) {
      await b.enqueue({})
      const abort = new AbortController()
      const seen = (async () => {
        for await (const batch of b.ledger.watch(undefined, abort.signal)) return batch
        return []
      })()
      await b.enqueue({})
      const [first] = await seen
      abort.abort()
      assert.equal(first?.jobId, 'job-2')
    },
  },
  {
    group: 'events',
    name: 'a page tells the number of the last event before it, and a watch from there misses nothing',
    async run(b) {
      assert.equal((await b.ledger.find({})).eventId, 0)
      await b.enqueue({}, {})
      const { eventId } = await b.ledger.find({ ids: ['job-1'] })
      await b.takeOne()
      const [first] = await events(b, eventId, 1)
      assert.deepEqual([first?.type, first?.jobId, first?.eventId], ['started', 'job-1', eventId + 1])
    },
  },
  {
    group: 'events',
    name: 'who watches for one type of event is told of each of them and of nothing else',
    async run(b) {
      await b.enqueue({}, {}, {})
      const seen = events(b, undefined, 2, 'cancelling')
      for (const { job } of await b.take(2)) {
        await b.enqueue({})
        await b.ledger.act({ type: 'cancel', ids: [job.id] })
      }
      const told = (await seen).map(({ type, jobId }) => `${type} ${jobId}`)
      assert.deepEqual(told, ['cancelling job-1', 'cancelling job-2'])
      const later = await events(b, 0, 2, 'cancelling')
      assert.deepEqual(
        later.map(({ jobId }) => jobId),
        ['job-1', 'job-2'],
      )
    },
  },
]

async function events(
  b: Bench,
  after: number | undefined,
  count: number,
  only?: JobEventType,
): Promise<JobEvent[]> {
  const abort = new AbortController()
  const seen: JobEvent[] = []
  for await (const batch of b.ledger.watch(after, abort.signal, only)) {
    seen.push(...batch)
    if (seen.length >= count) break
  }
  abort.abort()
  return seen
}
