import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import type { Place } from './place.ts'
import { leavePlace, takePlace } from './place.ts'
import { findRedis, findValkey } from './programs.ts'
import { IN_MEMORY } from './redis.ts'
import { RedisServer } from './server.ts'
import { makeTlsFiles, tlsArguments, tlsFiles } from './tls.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const MASTERS = 3
const SLOTS = 16_384
const NODE = [
  '--cluster-enabled',
  'yes',
  '--cluster-config-file',
  'nodes.conf',
  '--cluster-node-timeout',
  '2000',
]

export interface ClusterOptions {
  /** One for each master, so that the death of a master is a fail-over. Default: none. */
  readonly replicas?: boolean
  /** Of Valkey servers. Default: Redis. */
  readonly valkey?: boolean
  /** Every port speaks TLS, with one certificate for all. Redis only. */
  readonly tls?: boolean
  /** Of every node, in place of those that keep nothing on disk. */
  readonly settings?: readonly string[]
}

/** Starts a cluster of three masters; undefined where there is no Redis, or Valkey, and none can be installed. */
export async function startCluster(options: ClusterOptions = {}): Promise<Cluster | undefined> {
  const { replicas = false, valkey = false, tls = false, settings = IN_MEMORY } = options
  const program = valkey ? findValkey() : findRedis()
  if (program === undefined) return undefined
  const certificate = tls ? await takePlace() : undefined
  const nodes: RedisServer[] = []
  try {
    if (certificate !== undefined) makeTlsFiles(certificate.folder)
    const tlsOnly = certificate && tlsFiles(certificate.folder)
    const launch = { program, settings: [...settings, ...NODE], ...(tlsOnly && { tlsOnly }) }
    while (nodes.length < (replicas ? 2 : 1) * MASTERS) nodes.push(await RedisServer.start(launch))
    const places = nodes.map(({ port }) => `127.0.0.1:${port}`)
    const shape = ['--cluster-replicas', replicas ? '1' : '0', '--cluster-yes']
    const secure = tlsOnly ? tlsArguments(tlsOnly) : []
    await run('redis-cli', [...secure, '--cluster', 'create', ...places, ...shape])
    const cluster = new Cluster(nodes, certificate)
    await cluster.settled()
    return cluster
  } catch (error) {
    await Promise.all(nodes.map((node) => node.stop()))
    if (certificate !== undefined) leavePlace(certificate)
    throw error
  }
}

/** The nodes, the masters of the start first. */
export class Cluster implements AsyncDisposable {
  readonly nodes: readonly [RedisServer, ...RedisServer[]]

  readonly #certificate: Place | undefined

  /** @param certificate where that of all nodes is, if they speak TLS */
  constructor(nodes: readonly RedisServer[], certificate?: Place) {
    this.#certificate = certificate
    const [first, ...others] = nodes
    if (first === undefined) throw new Error('a cluster has nodes')
    this.nodes = [first, ...others]
  }

  /** Of one node that runs; a client learns of the others from it. */
  get url(): string {
    return (this.#running()[0] ?? this.nodes[0]).url
  }

  /** Waits until every node that runs says that all slots are served, and every replica that it follows its master. */
  settled(): Promise<void> {
    return until('a cluster that is well', async () =>
      (await Promise.all(this.#running().map(isWell))).every(Boolean),
    )
  }

  slotOf(key: string): Promise<number> {
    return this.nodes[0].ask('cluster', 'keyslot', key).then(Number)
  }

  /** The node that serves the slot, as a node that runs sees it. */
  async owner(slot: number): Promise<RedisServer> {
    const [witness] = this.#running()
    const lines = (await witness?.ask('cluster', 'nodes'))?.split('\n') ?? []
    const port = lines
      .map(served)
      .find(({ ranges }) => ranges.some(([from, to]) => from <= slot && slot <= to))?.port
    const node = this.nodes.find((one) => one.port === port)
    if (node === undefined) throw new Error(`no node serves slot ${slot}`)
    return node
  }

  kill(node: RedisServer): Promise<void> {
    return node.kill()
  }

  /** Kills the master of the slot and waits until its replica has taken over, which is the answer. */
  async failOver(slot: number): Promise<RedisServer> {
    const old = await this.owner(slot)
    await old.kill()
    await until(`a new master of slot ${slot}`, async () => (await this.owner(slot)) !== old)
    await this.settled()
    return this.owner(slot)
  }

  /** Opens a slot for its move: `from` answers ASK for keys that it has not. The answer moves all keys and closes it. */
  async openSlot(slot: number, from: RedisServer, to: RedisServer): Promise<() => Promise<void>> {
    const [source, target] = [await from.ask('cluster', 'myid'), await to.ask('cluster', 'myid')]
    const ask = (node: RedisServer, ...how: string[]): Promise<string> =>
      node.ask('cluster', 'setslot', String(slot), ...how)
    await ask(to, 'importing', source)
    await ask(from, 'migrating', target)
    return async () => {
      await moveKeys(slot, from, to)
      // The new owner first: were it told last, both would send clients to the other for a while.
      for (const node of [to, from, ...(await this.#otherMasters(from, to))]) await ask(node, 'node', target)
    }
  }

  /** Moves a slot and its keys while clients use them. */
  async migrateSlot(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
    const close = await this.openSlot(slot, from, to)
    await close()
  }

  async stop(): Promise<void> {
    await Promise.all(this.nodes.map((node) => node.stop()))
    if (this.#certificate !== undefined) leavePlace(this.#certificate)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #running(): readonly RedisServer[] {
    return this.nodes.filter((node) => node.isRunning)
  }

  async #otherMasters(...known: readonly RedisServer[]): Promise<readonly RedisServer[]> {
    const others = this.#running().filter((node) => !known.includes(node))
    const roles = await Promise.all(others.map((node) => node.ask('role')))
    return others.filter((_, index) => roles[index]?.startsWith('master'))
  }
}

async function isWell(node: RedisServer): Promise<boolean> {
  const state = await node.ask('cluster', 'info')
  const replication = await node.ask('info', 'replication')
  const isWhole = state.includes('cluster_state:ok') && state.includes(`cluster_slots_ok:${SLOTS}`)
  return isWhole && !replication.includes('master_link_status:down')
}

async function moveKeys(slot: number, from: RedisServer, to: RedisServer): Promise<void> {
  for (;;) {
    const keys = (await from.ask('cluster', 'getkeysinslot', String(slot), '100')).split('\n').filter(Boolean)
    if (keys.length === 0) return
    await from.ask('migrate', '127.0.0.1', String(to.port), '', '0', '5000', 'keys', ...keys)
  }
}

/** A line of CLUSTER NODES: `id ip:port@bus flags master sent received epoch link slots…`. */
function served(line: string): { port: number; ranges: readonly (readonly [from: number, to: number])[] } {
  const [, address = '', , , , , , , ...slots] = line.split(' ')
  const port = Number(/:(\d+)@/.exec(address)?.[1])
  // In brackets stand the slots that are on their way.
  const settled = slots.filter((text) => !text.startsWith('['))
  return {
    port,
    ranges: settled.map((text) => {
      const [from, to = from] = text.split('-').map(Number)
      return [from ?? Number.NaN, to ?? Number.NaN]
    }),
  }
}
