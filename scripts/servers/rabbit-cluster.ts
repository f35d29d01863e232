import { randomUUID } from 'node:crypto'
import { Epmd } from './epmd.ts'
import { takePlace } from './place.ts'
import { findRabbit } from './programs.ts'
import { nodeName } from './rabbit-files.ts'
import { RabbitServer } from './rabbit-server.ts'
import type { RabbitOptions } from './rabbitmq.ts'
import { until } from './until.ts'

const SETTLE_MS = 60_000

/** Starts nodes that are one cluster, with the same options; undefined where there is no RabbitMQ and none can be installed. */
export async function startRabbitCluster(
  size: 2 | 3 = 3,
  options: RabbitOptions = {},
): Promise<RabbitCluster | undefined> {
  const program = findRabbit()
  if (program === undefined) return undefined
  const epmd = await Epmd.start()
  const launch = { program, epmd, ownsEpmd: false, cookie: randomUUID(), ...options }
  const nodes: RabbitServer[] = []
  const start = async (founder?: RabbitServer): Promise<RabbitServer> => {
    const place = await takePlace()
    const config = [...(options.config ?? []), ...(founder ? peers(founder.name, nodeName(place)) : [])]
    const node = await RabbitServer.start({ ...launch, config }, place)
    nodes.push(node)
    return node
  }
  const cluster = new RabbitCluster(nodes, epmd)
  try {
    const founder = await start()
    // All at once, without a founder, would wait for each other several times as long.
    const joins = Array.from({ length: size - 1 }, () => start(founder))
    await Promise.allSettled(joins)
    await Promise.all(joins)
    await cluster.settled()
    return cluster
  } catch (error) {
    await cluster.stop()
    throw error
  }
}

const peers = (...names: readonly string[]): readonly string[] => [
  'cluster_formation.peer_discovery_backend = classic_config',
  ...names.map((name, index) => `cluster_formation.classic_config.nodes.${index + 1} = ${name}`),
]

/** The nodes, the one that founded it first. */
export class RabbitCluster implements AsyncDisposable {
  readonly nodes: readonly RabbitServer[]
  readonly #epmd: Epmd

  constructor(nodes: readonly RabbitServer[], epmd: Epmd) {
    this.nodes = nodes
    this.#epmd = epmd
  }

  /** Waits until every node that runs sees all that run, and no other. */
  settled(): Promise<void> {
    const running = this.nodes.filter(({ isRunning }) => isRunning)
    const names = running.map(({ name }) => name).sort()
    const seen = (node: RabbitServer): Promise<string> =>
      node.ctl('eval', 'lists:sort(rabbit_mnesia:cluster_nodes(running)).')
    return until(
      `a cluster of ${names.join(', ')}`,
      async () =>
        (await Promise.all(running.map(seen))).every((text) => namesIn(text).join() === names.join()),
      SETTLE_MS,
    )
  }

  /** The node that leads a quorum queue of the default virtual host. */
  async leader(queue: string): Promise<RabbitServer> {
    const witness = this.nodes.find(({ isRunning }) => isRunning)
    const text = await witness?.ctl('list_queues', 'name', 'leader')
    const line = text?.split('\n').find((line) => line.startsWith(`${queue}\t`))
    const node = this.nodes.find(({ name }) => line === `${queue}\t${name}`)
    if (node === undefined) throw new Error(`no node leads ${queue}: ${text}`)
    return node
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    await this.#epmd.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }
}

const namesIn = (text: string): readonly string[] => text.match(/offload-\d+@localhost/g) ?? []
