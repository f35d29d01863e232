import type { Accepted, Broker, Features } from '../../broker.ts'
import type { OffloadError } from '../../job/errors.ts'
import type { Job } from '../../job/job.ts'
import { publishApart } from './apart.ts'
import type { Part } from './delivery.ts'
import { coded, isOfQueue } from './faults.ts'
import type { Outgoing } from './outlet.ts'
import { packs } from './pack.ts'
import type { Verdict } from './publisher.ts'
import type { Wire } from './wire.ts'

/** RabbitMQ beside a ledger: it carries messages and knows nothing of attempts, times and ends. */
export function besideLedger(wire: Wire, features: Features): Broker {
  return {
    name: 'rabbitmq',
    features,
    async enqueue(jobs) {
      const faults = await faultsOf(wire, jobs)
      const verdicts = await published(
        wire,
        jobs.filter(({ queue }) => !faults.has(queue)),
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
        const error = faults.get(job.queue)
        if (error !== undefined) return { id: job.id, status: 'failed', error }
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

/** The queues that are not as they have to be: they hold up no other. @throws where none is, and it may be for the server's sake */
async function faultsOf(wire: Wire, jobs: readonly Job[]): Promise<ReadonlyMap<string, OffloadError>> {
  const queues = [...new Set(jobs.map(({ queue }) => queue))]
  const faults = new Map<string, OffloadError>()
  const look = async (queue: string): Promise<void> => {
    try {
      await wire.topology.queue(queue)
    } catch (error) {
      faults.set(queue, coded(error, 'cannot be published to'))
    }
  }
  await Promise.all(queues.map(look))
  if (faults.size < queues.length) return faults
  for (const fault of faults.values()) if (!isOfQueue(fault)) throw fault
  return faults
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
