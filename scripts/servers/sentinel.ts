import { findRedis } from './programs.ts'
import { IN_MEMORY } from './redis.ts'
import { RedisServer } from './server.ts'
import { until } from './until.ts'

const NAME = 'offload'
const REPLICAS = 2
const SENTINELS = 3

/** Starts a master with two replicas and three sentinels that watch them; undefined where there is no Redis and none can be installed. */
export async function startSentinel(settings: readonly string[] = IN_MEMORY): Promise<Sentinel | undefined> {
  const program = findRedis()
  if (program === undefined) return undefined
  const started: RedisServer[] = []
  const start = async (config: string, own: readonly string[]): Promise<RedisServer> => {
    const server = await RedisServer.start({ program, config, settings: own })
    started.push(server)
    return server
  }
  try {
    const servers = [await start('', settings)]
    const port = servers[0]?.port ?? 0
    // In the file and not on the command line, so that who was made master is still one after a restart.
    while (servers.length <= REPLICAS) servers.push(await start(`replicaof 127.0.0.1 ${port}\n`, settings))
    const watchers: RedisServer[] = []
    while (watchers.length < SENTINELS) watchers.push(await start(watch(port), ['--sentinel']))
    const sentinel = new Sentinel(servers, watchers)
    await sentinel.settled()
    return sentinel
  } catch (error) {
    await Promise.all(started.map((server) => server.stop()))
    throw error
  }
}

const watch = (port: number): string => `
sentinel monitor ${NAME} 127.0.0.1 ${port} 2
sentinel down-after-milliseconds ${NAME} 1000
sentinel failover-timeout ${NAME} 3000
sentinel parallel-syncs ${NAME} 2
`

export class Sentinel implements AsyncDisposable {
  /** What the sentinels call the master. */
  readonly name: string = NAME
  readonly servers: readonly RedisServer[]
  readonly watchers: readonly RedisServer[]

  constructor(servers: readonly RedisServer[], watchers: readonly RedisServer[]) {
    this.servers = servers
    this.watchers = watchers
  }

  /** The ports of the sentinels. */
  get sentinels(): readonly number[] {
    return this.watchers.map(({ port }) => port)
  }

  /** The master that a sentinel names. */
  async master(): Promise<RedisServer> {
    const watcher = this.watchers.find(({ isRunning }) => isRunning)
    const [, port] = (await watcher?.ask('sentinel', 'get-master-addr-by-name', NAME))?.split('\n') ?? []
    const server = this.servers.find((one) => one.port === Number(port))
    if (server === undefined) throw new Error(`the sentinels name no master: ${port}`)
    return server
  }

  /** Ends the master as a crash does. The answer is that server, which may be restarted; who follows it, `failedOver()` waits for. */
  async killMaster(): Promise<RedisServer> {
    const master = await this.master()
    await master.kill()
    return master
  }

  /** Waits until the sentinels name another master that takes writes, which is the answer. */
  async failedOver(old: RedisServer): Promise<RedisServer> {
    await until('a new master', async () => {
      const master = await this.master()
      return master !== old && (await master.ask('role')).startsWith('master')
    })
    return this.master()
  }

  /** Waits until every sentinel knows the others and every server that runs, and all of these but the master follow it. */
  settled(): Promise<void> {
    return until('sentinels that know each other and replicas that follow', async () => {
      const servers = this.#running(this.servers)
      const told = await Promise.all(
        this.#running(this.watchers).map((one) => one.ask('sentinel', 'masters')),
      )
      const roles = await Promise.all(servers.map((one) => one.ask('info', 'replication')))
      const following = roles.filter((text) => text.includes('master_link_status:up')).length
      return following === servers.length - 1 && told.every((text) => knowsAll(text, following))
    })
  }

  async stop(): Promise<void> {
    await Promise.all([...this.watchers, ...this.servers].map((one) => one.stop()))
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  #running(all: readonly RedisServer[]): readonly RedisServer[] {
    return all.filter(({ isRunning }) => isRunning)
  }
}

/** The reply of SENTINEL MASTERS has names and values, one a line. */
function knowsAll(reply: string, replicas: number): boolean {
  const lines = reply.split('\n')
  const value = (name: string): number => Number(lines[lines.indexOf(name) + 1])
  return value('num-slaves') >= replicas && value('num-other-sentinels') === SENTINELS - 1
}
