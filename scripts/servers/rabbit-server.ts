import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, fstatSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import type { Epmd } from './epmd.ts'
import { isRunning, killChild, ownProcess, pauseChild } from './leftovers.ts'
import type { Place } from './place.ts'
import { leavePlace, SECOND, takeFolder, takePlace } from './place.ts'
import { nodeName, writeRabbitFiles } from './rabbit-files.ts'
import type { Tls } from './server.ts'
import { makeTlsFiles, tlsFiles } from './tls.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const CTL_MS = 60_000
/** Far more than it needs where nothing else runs, which is some seconds. */
const START_MS = 120_000
const LOOPBACK = '-kernel inet_dist_use_interface {127,0,0,1}'

export interface RabbitLaunch {
  /** The path of rabbitmq-server; rabbitmqctl is beside it. */
  readonly program: string
  readonly epmd: Epmd
  /** The epmd starts and ends with the node. */
  readonly ownsEpmd: boolean
  /** The nodes that this one trusts have the same. */
  readonly cookie: string
  /** Lines of its rabbitmq.conf. */
  readonly config?: readonly string[]
  /** Its advanced.config. */
  readonly advanced?: string
  /** A TLS port beside the plain one. */
  readonly tls?: boolean
}

/** A RabbitMQ node on ports of loopback, with a folder for its data. */
export class RabbitServer implements AsyncDisposable {
  readonly port: number
  readonly folder: string
  /** Of the default virtual host, with the user who may do everything. */
  readonly url: string
  readonly tls: Tls | undefined
  /** What Erlang and RabbitMQ call the node. */
  readonly name: string
  readonly #place: Place
  /** Whose port is the TLS port. */
  readonly #secure: Place | undefined
  readonly #launch: RabbitLaunch
  #child: ChildProcess
  /** Of what it said since it was started last. */
  #logStart = 0

  private constructor(place: Place, secure: Place | undefined, launch: RabbitLaunch) {
    this.#place = place
    this.#secure = secure
    this.#launch = launch
    this.port = place.port
    this.folder = place.folder
    this.name = nodeName(place)
    this.url = `amqp://guest:guest@127.0.0.1:${place.port}`
    this.tls = secure && {
      port: secure.port,
      url: `amqps://guest:guest@127.0.0.1:${secure.port}`,
      ca: tlsFiles(secure.folder).cert,
    }
    this.#child = this.#spawn()
  }

  /** @param place for who must know before it starts where it will be */
  static async start(launch: RabbitLaunch, place?: Place): Promise<RabbitServer> {
    const own = place ?? (await takePlace())
    const server = new RabbitServer(own, launch.tls ? await takePlace() : undefined, launch)
    await server.#answersOrStops()
    return server
  }

  /** Of the Erlang VM that runs, or ran last. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return isRunning(this.#child)
  }

  /** What rabbitmqctl prints for a command, without headings; throws what the node refuses it with. Each is an Erlang VM of its own: most of a second. */
  async ctl(...command: readonly string[]): Promise<string> {
    const asked = run(join(dirname(this.#launch.program), 'rabbitmqctl'), ['--silent', ...command], {
      env: this.#env,
      cwd: this.folder,
      timeout: CTL_MS,
      killSignal: 'SIGKILL',
    })
    ownProcess(asked.child)
    return (await asked).stdout.trimEnd()
  }

  /**
   * Waits until a quorum queue of the default virtual host outlives a crash of this node. RabbitMQ (Ra 2.2) writes down
   * who has which log half a second and more after it has confirmed the queue and messages in it: a node killed before
   * that loses them all, and the queue has no leader again.
   */
  registered(queue: string): Promise<void> {
    const path = join(this.folder, 'data', this.name, 'quorum', this.name, 'names.dets')
    const name = Buffer.from(`%2F_${queue}`)
    // With its length before it, so that it is no part of a longer name.
    const written = Buffer.concat([Buffer.from([name.length]), name])
    return until(`queue ${queue} in ${path}`, async () => readFileSync(path).includes(written))
  }

  /** Ends it as a crash does; what it had put on disk stays, see `registered()`. */
  kill(): Promise<void> {
    return killChild(this.#child)
  }

  /** Starts it again on the same ports, with the same settings and folder. One that runs is shut down in order first. After `stop()` the folder is a new one. */
  async restart(): Promise<void> {
    this.continue()
    await killChild(this.#child, 'SIGTERM')
    for (const { folder } of this.#places)
      if (!existsSync(folder) && !takeFolder(folder)) throw new Error(`${folder} is taken`)
    await this.#launch.epmd.start()
    this.#child = this.#spawn()
    await this.#answersOrStops()
  }

  /** Stops the VM in the middle of whatever it does; its connections stay open. */
  pause(): Promise<void> {
    return pauseChild(this.#child)
  }

  continue(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it, stopped or not, and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    if (this.#launch.ownsEpmd) await this.#launch.epmd.stop()
    for (const place of this.#places) leavePlace(place)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  get #places(): readonly Place[] {
    return this.#secure ? [this.#place, this.#secure] : [this.#place]
  }

  /** Nothing of the user's: neither settings nor a cookie. */
  get #env(): NodeJS.ProcessEnv {
    const { folder } = this
    const own = (name: string): string => join(folder, name)
    return {
      PATH: process.env.PATH,
      LANG: 'C.UTF-8',
      HOME: folder,
      RABBITMQ_NODENAME: this.name,
      RABBITMQ_DIST_PORT: String(this.port + SECOND),
      RABBITMQ_MNESIA_BASE: own('data'),
      RABBITMQ_LOGS: '-',
      RABBITMQ_PID_FILE: own('pid'),
      RABBITMQ_CONF_ENV_FILE: '/dev/null',
      RABBITMQ_CONFIG_FILE: own('rabbitmq.conf'),
      RABBITMQ_CONFIG_FILES: own('conf.d'),
      RABBITMQ_ADVANCED_CONFIG_FILE: own('advanced.config'),
      RABBITMQ_ENABLED_PLUGINS_FILE: own('enabled_plugins'),
      RABBITMQ_PLUGINS_DIR: own('plugins'),
      RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: LOOPBACK,
      RABBITMQ_CTL_ERL_ARGS: LOOPBACK,
      // Any that is free, of loopback.
      RABBITMQ_CTL_DIST_PORT_MIN: '0',
      RABBITMQ_CTL_DIST_PORT_MAX: '0',
      ERL_EPMD_PORT: String(this.#launch.epmd.port),
      // None starts an epmd that nobody would end.
      ERL_AFLAGS: '-start_epmd false',
      ERL_INETRC: own('inetrc'),
      ERL_CRASH_DUMP_SECONDS: '0',
      // The script becomes the VM, in place of a shell that waits for it.
      RUNNING_UNDER_SYSTEMD: 'true',
    }
  }

  #spawn(): ChildProcess {
    const { program, cookie, config = [], advanced = '[].' } = this.#launch
    const secure = this.#secure && { port: this.#secure.port, ...tlsFiles(this.#secure.folder) }
    if (this.#secure && secure && !existsSync(secure.cert)) makeTlsFiles(this.#secure.folder)
    writeRabbitFiles({ program, place: this.#place, cookie, config, advanced, secure })
    const log = openSync(this.#log, 'a')
    this.#logStart = fstatSync(log).size
    const child = spawn(program, { env: this.#env, cwd: this.folder, stdio: ['ignore', log, log] })
    closeSync(log)
    child.on('error', () => {})
    ownProcess(child)
    return child
  }

  async #answersOrStops(): Promise<void> {
    try {
      const isThere = async (): Promise<boolean> => !this.isRunning || (await answers(this.port))
      await until(`an answer of RabbitMQ on port ${this.port}: ${this.#log}`, isThere, START_MS)
      if (!this.isRunning) throw new Error(`RabbitMQ ended at once: ${this.#lastWords()}`)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  get #log(): string {
    return join(this.folder, 'log')
  }

  /** The first errors are what is wrong; an Erlang VM that ends says pages more of what came of them. */
  #lastWords(): string {
    const text = existsSync(this.#log) ? readFileSync(this.#log).subarray(this.#logStart).toString() : ''
    const lines = text.trimEnd().split('\n')
    const errors = lines.filter((line) => line.includes('[error]'))
    return (errors.length > 0 ? errors.slice(0, 10) : lines.slice(-10)).join('\n')
  }
}

/** True as soon as it greets as a node that serves does: with Connection.Start, on channel 0. */
function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('connect', () => socket.write('AMQP\0\0\x09\x01'))
    socket.once('data', (data) => end(data[0] === 1))
  })
}
