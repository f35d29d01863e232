import { randomUUID } from 'node:crypto'
import { Epmd } from './epmd.ts'
import { findRabbit } from './programs.ts'
import { RabbitServer } from './rabbit-server.ts'

export interface RabbitOptions {
  /** Lines of its rabbitmq.conf. */
  readonly config?: readonly string[]
  /** Its advanced.config, for what the other has no words for: `[{rabbit, [{channel_tick_interval, 1000}]}].` */
  readonly advanced?: string
  /** A TLS port beside the plain one. */
  readonly tls?: boolean
}

/** Starts a RabbitMQ node of our own on free ports of loopback; undefined where there is none and none can be installed. */
export async function startRabbit(options: RabbitOptions = {}): Promise<RabbitServer | undefined> {
  const program = findRabbit()
  if (program === undefined) return undefined
  const launch = { program, epmd: await Epmd.start(), ownsEpmd: true, cookie: randomUUID() }
  return RabbitServer.start({ ...launch, ...options })
}
