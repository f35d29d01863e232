import type { Backend, BackendOptions } from '../backend.ts'
import type { Broker, Claim, Features } from '../broker.ts'
import type { Documents } from '../documents.ts'
import { BackendError } from '../job/errors.ts'
import type { Job } from '../job/job.ts'
import type { Ledger } from '../ledger.ts'
import type { Logger } from '../log.ts'
import { Acknowledger } from './acknowledger.ts'
import { depthIn } from './database.ts'
import { Sweep } from './sweep.ts'

/** So many permits are spent at once: no ledger takes more jobs. */
const MOST_PERMITS = 1000

/**
 * Makes a whole backend of a broker that only moves messages and a ledger that remembers. The ledger owns order, priority,
 * delay, dedup, lease and fencing; a message is a permit to take the most urgent job of its queue, and is acknowledged once
 * the ledger holds the claim. The sweep publishes what can start and has no message: new jobs, due retries, lapsed leases,
 * the next of a key, and whose message brought another job. Nothing lives in this process alone, so any number of hosts can
 * share it.
 * @param documents those beside the ledger; without them there are no schedules
 */
export function joined(
  broker: Broker,
  ledger: Ledger,
  options: BackendOptions,
  documents?: Documents,
): Backend {
  const { overlaps: _, ...own } = broker.features
  const features: Features = {
    ...own,
    redeliver: 'lease',
    delayMs: Number.POSITIVE_INFINITY,
    priorities: 10,
    ordered: true,
    dedupMs: Number.POSITIVE_INFINITY,
    fenced: true,
    exactDepth: true,
  }
  const sweep = new Sweep(broker, ledger, options)
  const acknowledger = new Acknowledger(broker, options.logger)
  const pair: Broker = {
    name: `${broker.name}+ledger`,
    features,
    async enqueue(jobs, room) {
      const accepted = await ledger.record(jobs, room)
      sweep.kick()
      return accepted
    },
    async claim(queue, want) {
      sweep.follow(queue)
      const limit = Math.min(want.limit, MOST_PERMITS)
      while (!want.signal.aborted) {
        await acknowledger.room()
        const permits = await broker.claim(queue, { ...want, limit })
        if (permits.length === 0) continue
        try {
          await remember(ledger, permits, options.logger)
          const claims = await ledger.claim(queue, { ...want, limit: permits.length })
          acknowledger.end(permits, 'done')
          if (broughtOthers(permits, claims)) sweep.kick()
          if (claims.length > 0) return claims
        } catch (error) {
          acknowledger.end(permits, 'release')
          throw error
        }
      }
      return []
    },
    async settle(settlements) {
      const settled = await ledger.settle(settlements)
      sweep.kick()
      return settled
    },
    renew: (beats, leaseMs) => ledger.renew(beats, leaseMs),
    depth: (queue) => depthIn(ledger, queue),
    close: () => close(),
  }
  const watched: Ledger = {
    ...bound(ledger),
    async act(action) {
      const acted = await ledger.act(action)
      sweep.kick()
      return acted
    },
    close: () => close(),
  }
  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= (async () => {
      await sweep.stop()
      await acknowledger.idle()
      await broker.close()
      await ledger.close()
    })()
    return closing
  }
  const kept: Documents | undefined = documents && {
    list: (query) => documents.list(query),
    due: (query) => documents.due(query),
    async write(changes) {
      const written = await documents.write(changes)
      sweep.kick()
      return written
    },
  }
  return { broker: pair, ledger: watched, ...(kept === undefined ? {} : { documents: kept }), close }
}

/**
 * What other programs published is accepted now, with or without room: the message is acknowledged next. One that comes
 * again is remembered by its id. One that the ledger cannot hold must not hold up the others.
 */
async function remember(ledger: Ledger, permits: readonly Claim[], logger: Logger): Promise<void> {
  const jobs = permits.filter(({ foreign }) => foreign === true).map(({ job }) => job)
  if (jobs.length === 0) return
  const refuse = (job: Job, why: string): void =>
    logger.error({ jobId: job.id, queue: job.queue, task: job.task }, `a message was dropped: ${why}`)
  const accept = async (some: readonly Job[]): Promise<void> => {
    const answers = await ledger.record(some)
    for (const [at, { status }] of answers.entries())
      if (status === 'taken') refuse(some[at] as Job, 'a job of another tenant has its id')
  }
  try {
    await accept(jobs)
  } catch (error) {
    if (error instanceof BackendError) throw error
    for (const job of jobs)
      await accept([job]).catch((reason: unknown) => {
        if (reason instanceof BackendError) throw reason
        refuse(job, `the ledger cannot hold it: ${String(reason).slice(0, 200)}`)
      })
  }
}

/** Then one of those whose permits were spent may be owed another. */
function broughtOthers(permits: readonly Claim[], claims: readonly Claim[]): boolean {
  const named = new Set(permits.map(({ job }) => job.id))
  return claims.some(({ job }) => !named.has(job.id))
}

function bound(ledger: Ledger): Ledger {
  return {
    record: ledger.record.bind(ledger),
    claim: ledger.claim.bind(ledger),
    settle: ledger.settle.bind(ledger),
    renew: ledger.renew.bind(ledger),
    outbox: ledger.outbox.bind(ledger),
    find: ledger.find.bind(ledger),
    depth: ledger.depth.bind(ledger),
    act: ledger.act.bind(ledger),
    watch: ledger.watch.bind(ledger),
    close: ledger.close.bind(ledger),
  }
}
