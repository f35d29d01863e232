import type { Backend, BackendOptions } from '../backend.ts'
import type { Broker, Claim, Features } from '../broker.ts'
import { sleep } from '../clock.ts'
import type { Documents } from '../documents.ts'
import type { Ledger } from '../ledger.ts'

/** How often the ledger is asked what is due to be published. */
const SWEEP_MS = 250
/** A job whose message was not confirmed is published again after so long. */
const AGAIN_MS = 5000
/** A published job that still waits while the broker holds nothing is taken for lost after so long. */
const LOST_MS = 5000
const WAIT_AFTER_FAULT_MS = 200

/**
 * Makes a whole backend of a broker that only moves messages and a ledger that remembers. The ledger owns order, priority,
 * delay, dedup, lease and fencing; a message is a permit to take the most urgent job of its queue, and is acknowledged as
 * soon as the ledger holds the claim. The sweep publishes what can start and has no message: new jobs that a crash left,
 * due retries, lapsed leases, the next of a key. Nothing lives in this process alone, so any number of hosts can share it.
 * @param documents those beside the ledger; without them there are no schedules
 */
export function joined(
  broker: Broker,
  ledger: Ledger,
  options: BackendOptions,
  documents?: Documents,
): Backend {
  const features: Features = {
    ...broker.features,
    redeliver: 'lease',
    delayMs: Number.POSITIVE_INFINITY,
    priorities: 10,
    ordered: true,
    dedupMs: Number.POSITIVE_INFINITY,
    fenced: true,
    exactDepth: true,
  }
  const sweep = new Sweep(broker, ledger, options)
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
      while (!want.signal.aborted) {
        const permits = await broker.claim(queue, want)
        if (permits.length === 0) continue
        const claims = await ledger.claim(queue, { ...want, limit: permits.length })
        await acknowledge(broker, permits, options)
        if (claims.length > 0) return claims
      }
      return []
    },
    async settle(settlements) {
      const settled = await ledger.settle(settlements)
      sweep.kick()
      return settled
    },
    renew: (beats, leaseMs) => ledger.renew(beats, leaseMs),
    depth: (queue) => ledger.depth(queue),
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

/** A permit that cannot be acknowledged comes back and finds nothing to do: no harm. */
async function acknowledge(
  broker: Broker,
  permits: readonly Claim[],
  { logger }: BackendOptions,
): Promise<void> {
  try {
    await broker.settle(permits.map((claim) => ({ claim, type: 'done' })))
  } catch (error) {
    logger.warn(
      { broker: broker.name, error: String(error) },
      'messages could not be acknowledged; they come back and are dropped',
    )
  }
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

/** Publishes what the ledger says is due, until stopped. */
class Sweep {
  readonly #broker: Broker
  readonly #ledger: Ledger
  readonly #options: BackendOptions
  readonly #stopping = new AbortController()
  readonly #queues = new Set<string>()
  readonly #running: Promise<void>
  #kicked = true
  #wake: AbortController | undefined
  #lostLookedAt = 0

  constructor(broker: Broker, ledger: Ledger, options: BackendOptions) {
    this.#broker = broker
    this.#ledger = ledger
    this.#options = options
    this.#running = this.#run()
  }

  kick(): void {
    this.#kicked = true
    this.#wake?.abort()
  }

  /** Looks after messages of this queue that the broker may have lost. */
  follow(queue: string): void {
    this.#queues.add(queue)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    this.#wake?.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { clock, logger } = this.#options
    while (!this.#stopping.signal.aborted) {
      this.#kicked = false
      let waitMs = SWEEP_MS
      try {
        await this.#publishAll()
        await this.#findLost()
      } catch (error) {
        waitMs = WAIT_AFTER_FAULT_MS
        logger.warn(
          { broker: this.#broker.name, error: String(error) },
          'publishing failed; the jobs are safe in the ledger and are published later',
        )
      }
      if (this.#kicked && waitMs === SWEEP_MS) continue
      this.#wake = new AbortController()
      if (!this.#stopping.signal.aborted) await sleep(clock, waitMs, this.#wake.signal)
    }
  }

  async #publishAll(): Promise<void> {
    const limit = Math.min(1000, this.#broker.features.maxBatch)
    let published: readonly string[] = []
    do {
      const jobs = await this.#ledger.outbox({ published, limit, againMs: AGAIN_MS })
      if (jobs.length === 0) return
      await this.#broker.enqueue(jobs)
      published = jobs.map(({ id }) => id)
    } while (!this.#stopping.signal.aborted)
    await this.#ledger.outbox({ published, limit: 0, againMs: AGAIN_MS })
  }

  async #findLost(): Promise<void> {
    const now = this.#options.clock.now()
    if (now - this.#lostLookedAt < LOST_MS) return
    this.#lostLookedAt = now
    for (const queue of this.#queues) {
      const { ready } = await this.#broker.depth(queue)
      if (ready === 0)
        await this.#ledger.outbox({
          published: [],
          limit: 0,
          againMs: AGAIN_MS,
          lost: { queue, markedBefore: now - LOST_MS },
        })
    }
  }
}
