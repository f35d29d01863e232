import type { Accepted, Broker, Features } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import type { Logger } from '../../log.ts'
import { publishApart } from './apart.ts'
import type { Part } from './delivery.ts'
import { isOfQueue } from './faults.ts'
import type { Outgoing } from './outlet.ts'
import { packs } from './pack.ts'
import type { Verdict } from './publisher.ts'
import type { Wire } from './wire.ts'

/** RabbitMQ beside a ledger: it carries messages and knows nothing of attempts, times and ends. */
export function besideLedger(wire: Wire, features: Features, logger: Logger): Broker {
  return {
    name: 'rabbitmq',
    features,
    async enqueue(jobs) {
      const takes = await takers(wire, jobs, logger)
      const verdicts = await published(
        wire,
        jobs.filter(({ queue }) => takes.has(queue)),
        wire.packed,
      )
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

/** The queues that are as they have to be: one that is not holds up no other. @throws where none can be told of */
async function takers(wire: Wire, jobs: readonly Job[], logger: Logger): Promise<ReadonlySet<string>> {
  const queues = [...new Set(jobs.map(({ queue }) => queue))]
  const found = await Promise.allSettled(queues.map((queue) => wire.topology.queue(queue)))
  const faults = found.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
  const unanswered = faults.find((fault) => !isOfQueue(fault))
  if (unanswered !== undefined && faults.length === queues.length) throw unanswered
  for (const fault of faults)
    logger.warn({ broker: 'rabbitmq', error: String(fault) }, 'a queue takes nothing')
  return new Set(queues.filter((_, at) => found[at]?.status === 'fulfilled'))
}

function published(wire: Wire, jobs: readonly Job[], most: number): Promise<ReadonlyMap<Job, Verdict>> {
  const queues = byQueue(jobs)
  const made = [...queues.values()].flatMap((own) => packs(own, most, () => false))
  return publishApart(made, (those) =>
    wire.publish(
      those.map((pack): Outgoing => {
        const { body, properties } = wire.messageOf(pack)
        return { exchange: wire.names.jobs, key: pack[0]?.queue ?? '', body, properties }
      }),
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
