import { Writable } from 'node:stream'
import type { Backend, BackendOptions } from '../../backend.ts'
import type { Broker, Features } from '../../broker.ts'
import { CapabilityError, OffloadError } from '../../job/errors.ts'
import { Alone } from './alone.ts'
import { besideLedger } from './broker.ts'
import { gather } from './gather.ts'
import type { Connect } from './link.ts'
import type { Location } from './location.ts'
import { locate } from './location.ts'
import type { Route } from './message.ts'
import { Wire } from './wire.ts'

/** What RabbitMQ can do by itself. @param version of the server */
export function featuresOf(version: string, isAlone: boolean): Features {
  return {
    acknowledge: 'each',
    redeliver: 'connection',
    delayMs: isAlone ? Number.POSITIVE_INFINITY : 0,
    priorities: prioritiesOf(version),
    ordered: false,
    dedupMs: 0,
    fenced: false,
    maxMessageBytes: 16_777_216,
    maxBatch: 1000,
    exactDepth: true,
    overlaps: true,
  }
}

/** Of a quorum queue: none before 4.0, then two that share two to one, and from 4.3 on all, strictly. */
function prioritiesOf(version: string): number {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  if (major < 4) return 1
  return major === 4 && minor < 3 ? 2 : 10
}

/**
 * Opens RabbitMQ 3.10 or newer as a message broker: it moves jobs, and is joined with the ledger that `offload({ ledger })` names.
 * @param rest the URL without `amqp:` and slashes; see {@link locate}
 * @throws BackendError BACKEND_UNAVAILABLE; OPTION_INVALID; CAPABILITY_MISSING
 */
export function openRabbit(rest: string, tls: boolean, options: BackendOptions): Promise<Backend> {
  return opened(locate(rest, tls), [], options)
}

/** A task, and the messages of strangers that are jobs of it. */
export interface RouteOptions {
  /** Of the strangers; it must be there. */
  readonly exchange: string
  /** The routing key, or what the exchange takes as one to bind by (then only messages with that very key are the task's). */
  readonly key: string
  readonly task: {
    readonly name: string
    readonly queue: string
    readonly priority: number
    readonly retry: { readonly attempts: number }
  }
}

export interface RabbitOptions {
  /** Messages that other programs publish, by exchange and routing key: the queue of the task is bound to the exchange. */
  readonly routes?: readonly RouteOptions[]
}

/**
 * A URL and what no URL can say: `offload({ url: rabbitmq('amqp://…', { routes: [{ exchange: 'shop', key: 'order.placed', task }] }) })`.
 * @throws OPTION_INVALID
 */
export function rabbitmq(
  url: string,
  { routes = [] }: RabbitOptions = {},
): { open(options: BackendOptions): Promise<Backend> } {
  const [, scheme, rest = ''] = /^(amqps?):(?:\/\/)?(.*)$/.exec(url) ?? []
  if (scheme === undefined)
    throw new OffloadError('OPTION_INVALID', 'rabbitmq() needs a url that begins with amqp: or amqps:')
  const at = locate(rest, scheme === 'amqps')
  const known = routes.map(({ exchange, key, task }): Route => {
    const { name, queue, priority, retry } = task
    return { exchange, key, task: name, queue, priority, maxAttempts: retry.attempts }
  })
  return { open: (options) => opened(at, known, options) }
}

async function opened(at: Location, routes: readonly Route[], options: BackendOptions): Promise<Backend> {
  const isAlone = options.alone === true
  const connect = await connector(at, options.timeoutMs)
  const wire = new Wire(connect, at, routes, isAlone ? 'offload' : 'offload/ledger', options)
  try {
    const features = featuresOf(await wire.open(), isAlone)
    const broker: Broker = isAlone ? new Alone(wire, features, options) : besideLedger(wire, features)
    return { broker, close: () => broker.close() }
  } catch (error) {
    await wire.close()
    throw error
  }
}

/** Tries the servers in turn, beginning with the one that answered last. @throws CAPABILITY_MISSING without amqplib */
async function connector(at: Location, timeoutMs: number): Promise<Connect> {
  const { connect } = await library()
  const { servers, vhost, username, password, tls, heartbeat } = at
  let first = 0
  return async () => {
    let last: unknown
    for (let tries = 0; tries < servers.length; tries++) {
      const at = (first + tries) % servers.length
      const { host, port } = servers[at] as Location['servers'][number]
      try {
        const model = await connect(
          { protocol: tls ? 'amqps' : 'amqp', hostname: host, port, username, password, vhost, heartbeat },
          { timeout: timeoutMs, noDelay: true, clientProperties: { connection_name: 'offload' } },
        )
        // Of amqplib 2, which does not tell of it.
        const { stream } = model.connection as { readonly stream?: unknown }
        if (stream instanceof Writable) gather(stream)
        first = at
        return model
      } catch (error) {
        last = error
      }
    }
    throw last
  }
}

async function library(): Promise<Pick<typeof import('amqplib'), 'connect'>> {
  try {
    return await import('amqplib')
  } catch (error) {
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      'amqp: needs the package amqplib: npm install amqplib@2',
      {
        cause: error,
      },
    )
  }
}
