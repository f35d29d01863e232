import type { Accepted, Broker, Features } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { publishApart } from './apart.ts'
import type { Part } from './inbox.ts'
import { packs } from './pack.ts'
import type { Outgoing, Verdict } from './publisher.ts'
import type { Wire } from './wire.ts'

/** RabbitMQ beside a ledger: it carries messages and knows nothing of attempts, times and ends. */
export function besideLedger(wire: Wire, features: Features): Broker {
  return {
    name: 'rabbitmq',
    features,
    async enqueue(jobs) {
      const verdicts = await published(wire, jobs, wire.packed)
      // The ledger has the payload.
      const short = new Map(
        jobs
          .filter((job) => verdicts.get(job) === 'tooLong')
          .map((job) => [job, { ...job, payload: 'null' }]),
      )
      const again = await published(wire, [...short.values()], 1)
      return jobs.map((job): Accepted => {
        const sent = short.get(job)
        const verdict = sent === undefined ? verdicts.get(job) : again.get(sent)
        return { id: job.id, status: verdict === 'confirmed' ? 'queued' : 'full' }
      })
    },
    async claim(queue, { limit, signal }) {
      const parts = await wire.take(queue, limit, signal)
      return parts.map((part) => ({
        job: part.job,
        attempt: 1,
        fence: 0,
        leaseUntil: Number.POSITIVE_INFINITY,
        receipt: part,
        ...(part.isRemembered ? {} : { foreign: true }),
      }))
    },
    async settle(settlements) {
      const back = settlements
        .filter(({ type }) => type === 'release')
        .map(({ claim }) => claim.receipt as Part)
      const over = settlements
        .filter(({ type }) => type !== 'release')
        .map(({ claim }) => claim.receipt as Part)
      const held = wire.end(over)
      await wire.giveBack(back)
      return settlements.map(({ type }) => (type === 'release' ? true : held.shift() === true))
    },
    renew: async (beats) => beats.map(() => 'held'),
    async depth(queue) {
      await wire.topology.queue(queue)
      const ready = await wire.topology.count(wire.names.work(queue))
      return {
        queue,
        ready: countOf(ready + wire.held(queue), wire.packed),
        running: null,
        scheduled: null,
        dead: null,
        oldestAgeMs: null,
        paused: false,
        exact: true,
      }
    },
    close: () => wire.close(),
  }
}

function published(wire: Wire, jobs: readonly Job[], most: number): Promise<ReadonlyMap<Job, Verdict>> {
  const queues = byQueue(jobs)
  const made = [...queues.values()].flatMap((own) => packs(own, most, () => false))
  return publishApart(made, (those) =>
    wire.publish(
      those.map(
        (pack): Outgoing => ({
          ...wire.messageOf(pack),
          exchange: wire.names.jobs,
          key: pack[0]?.queue ?? '',
        }),
      ),
      () => Promise.all([...queues.keys()].map((queue) => wire.topology.queue(queue))),
    ),
  )
}

/** How many jobs so many messages are, if that can be told. */
export function countOf(messages: number, packed: number): number | null {
  return packed === 1 || messages === 0 ? messages : null
}

/** Jobs of each queue, in their order. */
export function byQueue(jobs: readonly Job[]): Map<string, Job[]> {
  const queues = new Map<string, Job[]>()
  for (const job of jobs) {
    const own = queues.get(job.queue)
    if (own === undefined) queues.set(job.queue, [job])
    else own.push(job)
  }
  return queues
}
