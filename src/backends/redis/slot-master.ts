import type { ClusterNode, ClusterOptions, Redis, RedisOptions } from 'ioredis'

/** Nodes that are asked at once; the first answer is taken, so that others may be silent. */
const WITNESSES = 3
const ASK_MS = 2000

/** `replyMapping` is left as it is: it is part of the type of a client. */
export type Settings = Omit<RedisOptions, 'replyMapping'>

/** One slot of a cluster. */
export interface Slot {
  readonly number: number
  /** Nodes of the cluster, to begin with. */
  readonly seeds: readonly ClusterNode[]
  /** User, password and TLS: the same for all nodes. */
  readonly options: Settings
  readonly natMap?: ClusterOptions['natMap']
}

export interface Node {
  readonly host: string
  readonly port: number
}

/** Asks nodes of the cluster, those that were learnt of among them, who the master of the slot is. */
export function askForMaster(Client: typeof Redis, slot: Slot): () => Promise<Node> {
  let known: readonly Node[] = []

  const asked = async (seed: ClusterNode): Promise<Node> => {
    const client = clientOf(Client, seed, slot.options)
    let cause: unknown
    client.on('error', (error: unknown) => {
      cause = error
    })
    try {
      const ranges = (await client.call('CLUSTER', 'SLOTS')) as Range[]
      const { master, nodes } = read(ranges, slot, client.options.host ?? '')
      known = nodes
      return master
    } catch (error) {
      throw cause ?? error
    } finally {
      client.disconnect()
    }
  }

  return () => {
    const [first = 6379, ...others] = shuffled(slot.seeds)
    const witnesses = [first, ...shuffled([...known, ...others])].slice(0, WITNESSES)
    return Promise.any(witnesses.map(asked)).catch(({ errors }: AggregateError) => {
      throw errors[0]
    })
  }
}

function clientOf(Client: typeof Redis, node: ClusterNode, shared: Settings): Redis {
  const options: Settings = {
    ...shared,
    lazyConnect: false,
    enableOfflineQueue: true,
    enableReadyCheck: false,
    connectTimeout: ASK_MS,
    commandTimeout: ASK_MS,
    retryStrategy: null,
  }
  if (typeof node === 'number') return new Client(node, options)
  if (typeof node === 'string') return new Client(node, options)
  const { host = '127.0.0.1', port = 6379 } = node
  return new Client({ ...options, host, port })
}

/** A line of CLUSTER SLOTS: the first slot, the last, then the master and its replicas. */
type Range = readonly [from: number, to: number, ...nodes: (readonly [host: string | null, port: number])[]]

/** @param asked the host that answered: so is one called that has no name */
function read(
  ranges: readonly Range[],
  { number, natMap }: Slot,
  asked: string,
): { master: Node; nodes: readonly Node[] } {
  const nodeOf = ([name, port]: readonly [string | null, number]): Node => {
    const node = { host: name || asked, port: Number(port) }
    const key = `${node.host}:${node.port}`
    return (typeof natMap === 'function' ? natMap(key) : natMap?.[key]) ?? node
  }
  const [, , first] = ranges.find(([from, to]) => from <= number && number <= to) ?? []
  if (first === undefined) throw new Error(`CLUSTERDOWN no node of the cluster serves slot ${number}`)
  return { master: nodeOf(first), nodes: ranges.flatMap(([, , ...nodes]) => nodes.map(nodeOf)) }
}

function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one)
}
