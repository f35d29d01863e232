import type { Accepted, Broker, Features } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import { publishApart } from './apart.ts'
import type { Part } from './delivery.ts'
import type { Outgoing } from './outlet.ts'
import { packs } from './pack.ts'
import type { Sent } from './sender.ts'
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
      return jobs.map((job) => {
        const sent = short.get(job)
        return acceptedAs(job.id, sent === undefined ? verdicts.get(job) : again.get(sent))
      })
    },
    async claim(queue, want) {
      const parts = await wire.take(queue, want)
      return parts.map((part) => {
        const claim = {
          job: part.job,
          attempt: 1,
          fence: 0,
          leaseUntil: Number.POSITIVE_INFINITY,
          receipt: part,
        }
        return part.isRemembered ? claim : { ...claim, foreign: true }
      })
    },
    async settle(settlements) {
      const [back, over]: [Part[], Part[]] = [[], []]
      for (const { claim, type } of settlements)
        (type === 'release' ? back : over).push(claim.receipt as Part)
      const held = wire.end(over)
      if (back.length === 0) return held
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
        waitingBytes: null,
        oldestAgeMs: null,
        paused: false,
        exact: true,
        totals: null,
      }
    },
    close: () => wire.close(),
  }
}

function published(wire: Wire, jobs: readonly Job[], most: number): Promise<ReadonlyMap<Job, Sent>> {
  const queues = Map.groupBy(jobs, ({ queue }) => queue)
  const made = [...queues.values()].flatMap((own) => packs(own, most, () => false))
  return publishApart(made, (those) =>
    wire.publish(
      those.map((pack): Outgoing => {
        const { body, properties } = wire.messageOf(pack)
        const queue = pack[0]?.queue ?? ''
        return { exchange: wire.names.jobs, key: queue, queue, body, properties }
      }),
      (queue) => wire.topology.queue(queue),
    ),
  )
}

/** @param verdict none where it was not published, for want of room */
export function acceptedAs(id: string, verdict: Sent | undefined): Accepted {
  switch (verdict) {
    case 'confirmed':
      return { id, status: 'queued' }
    case 'tooLong':
      return { id, status: 'tooLarge' }
    case 'refused':
      return { id, status: 'full' }
    case undefined:
      return { id, status: 'full', limit: 'jobs' }
    default:
      return { id, status: 'failed', error: verdict }
  }
}

/** How many jobs so many messages are, if that can be told. */
export function countOf(messages: number, packed: number): number | null {
  return packed === 1 || messages === 0 ? messages : null
}
