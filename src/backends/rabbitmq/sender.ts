import type { OffloadError } from '../../job/errors.ts'
import { BackendError } from '../../job/errors.ts'
import { coded, isOfQueue, PUBLISH } from './faults.ts'
import type { Outgoing } from './outlet.ts'
import type { Publisher, Verdict } from './publisher.ts'
import type { Topology } from './topology.ts'

/** Sees to it that what messages of one queue need is there. */
export type Ready<M> = (queue: string, messages: readonly M[]) => Promise<unknown>

/** What became of a message in the end: one that found no queue has an error that says so. */
export type Sent = Exclude<Verdict, 'returned'>

/** Publishes to queues of which some may not be as they have to be. */
export class Sender {
  readonly #publisher: Publisher
  readonly #topology: Topology

  constructor(publisher: Publisher, topology: Topology) {
    this.#publisher = publisher
    this.#topology = topology
  }

  /**
   * Publishes once the queues are there; what finds none is published once more. A verdict for each: what is wrong with one queue
   * is that of its own messages. @throws BackendError where nothing can be published, and it may be for the server's sake
   */
  async send<M extends Outgoing>(messages: readonly M[], ready: Ready<M>): Promise<readonly Sent[]> {
    if (messages.length === 0) return []
    const verdicts = await this.#sendReady(messages, ready)
    if (!verdicts.includes('returned')) return verdicts as readonly Sent[]
    this.#topology.forget()
    const returned = messages.filter((_, at) => verdicts[at] === 'returned')
    const again = await this.#sendReady(returned, ready).catch((error: unknown) =>
      returned.map(() => coded(error, PUBLISH)),
    )
    const last = new Map(returned.map((message, at) => [message, again[at]]))
    return messages.map((message, at) => {
      const verdict = last.get(message) ?? (verdicts[at] as Verdict)
      return verdict === 'returned' ? unbound(message) : verdict
    })
  }

  async #sendReady<M extends Outgoing>(messages: readonly M[], ready: Ready<M>): Promise<readonly Verdict[]> {
    const faults = await faultsOf(messages, ready)
    if (faults.size === 0) return this.#publisher.publish(messages)
    const others = messages.filter(({ queue }) => !faults.has(queue))
    const verdicts = others.length === 0 ? [] : await this.#publisher.publish(others)
    const those = new Map(others.map((message, at) => [message, verdicts[at] as Verdict]))
    return messages.map((message) => faults.get(message.queue) ?? (those.get(message) as Verdict))
  }
}

/** What is wrong with queues. @throws where none can be published to, and it may be for the server's sake */
async function faultsOf<M extends Outgoing>(
  messages: readonly M[],
  ready: Ready<M>,
): Promise<ReadonlyMap<string, OffloadError>> {
  const faults = new Map<string, OffloadError>()
  const queues = Map.groupBy(messages, ({ queue }) => queue)
  const look = async (queue: string, own: readonly M[]): Promise<void> => {
    try {
      await ready(queue, own)
    } catch (error) {
      faults.set(queue, coded(error, PUBLISH))
    }
  }
  await Promise.all([...queues].map(([queue, own]) => look(queue, own)))
  if (faults.size < queues.size) return faults
  for (const fault of faults.values()) if (!isOfQueue(fault)) throw fault
  return faults
}

function unbound({ exchange, key }: Outgoing): BackendError {
  return new BackendError(
    'BACKEND_UNAVAILABLE',
    `rabbitmq has no queue for "${exchange}" with the key "${key}": bind it, or leave out declare=false; nothing was accepted`,
    { retryAfterMs: 1000 },
  )
}
