import type { ChildProcess } from 'node:child_process'
import { execFile, spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isRunning, killChild, ownProcess, pauseChild } from './leftovers.ts'
import type { Place } from './place.ts'
import { leavePlace, SECOND, takeFolder, takePlace } from './place.ts'
import type { TlsFiles } from './tls.ts'
import { makeTlsFiles, tlsArguments, tlsFiles, tlsSettings } from './tls.ts'
import { until } from './until.ts'

const run = promisify(execFile)
const ASK_MS = 15_000

export interface Launch {
  readonly program: string
  /** As on the command line: `--name value`. */
  readonly settings: readonly string[]
  /** What its configuration file begins with; the server itself may rewrite the file. */
  readonly config?: string
  /** A TLS port beside the plain one. */
  readonly tls?: boolean
  /** Its port speaks TLS, with this certificate, and so does it with the other nodes of a cluster: then there is no plain port. */
  readonly tlsOnly?: TlsFiles
}

/** A TLS port. Its certificate is for localhost and 127.0.0.1, and is its own authority. */
export interface Tls {
  readonly port: number
  readonly url: string
  /** The path of the certificate to trust. */
  readonly ca: string
}

/** A server of the Redis family on a port of loopback, with a folder for its data. */
export class RedisServer implements AsyncDisposable {
  readonly port: number
  readonly folder: string
  /** With the password of `--requirepass`. */
  readonly url: string
  readonly tls: Tls | undefined
  readonly #place: Place
  readonly #launch: Launch
  readonly #password: string | undefined
  #child: ChildProcess

  private constructor(place: Place, launch: Launch) {
    this.#place = place
    this.#launch = launch
    this.port = place.port
    this.folder = place.folder
    this.#password = settingOf(launch.settings, '--requirepass')
    const user = this.#password === undefined ? '' : `:${encodeURIComponent(this.#password)}@`
    this.url = `${launch.tlsOnly ? 'rediss' : 'redis'}://${user}127.0.0.1:${place.port}`
    this.tls = tlsOf(place, launch, user)
    this.#child = this.#spawn()
  }

  static async start(launch: Launch): Promise<RedisServer> {
    const server = new RedisServer(await takePlace(), launch)
    await server.#answersOrStops()
    return server
  }

  /** Of the process that runs, or ran last. */
  get pid(): number {
    return this.#child.pid ?? 0
  }

  get isRunning(): boolean {
    return isRunning(this.#child)
  }

  /** What redis-cli prints for a command; throws what the server refuses it with. */
  async ask(...command: readonly string[]): Promise<string> {
    const env = this.#password === undefined ? process.env : { ...process.env, REDISCLI_AUTH: this.#password }
    const { stdout } = await run('redis-cli', ['-e', '-p', String(this.port), ...this.#secure, ...command], {
      env,
      timeout: ASK_MS,
    })
    return stdout.trimEnd()
  }

  /** Ends it as a crash does; what it had put on disk stays. */
  kill(): Promise<void> {
    return killChild(this.#child)
  }

  /** Starts it again on the same port, with the same settings and folder. One that runs is shut down in order first. After `stop()` the folder is a new one. */
  async restart(): Promise<void> {
    this.continue()
    await killChild(this.#child, 'SIGTERM')
    if (!existsSync(this.folder) && !takeFolder(this.folder)) throw new Error(`${this.folder} is taken`)
    this.#child = this.#spawn()
    await this.#answersOrStops()
  }

  /** Stops the process in the middle of whatever it does; its connections stay open. */
  pause(): Promise<void> {
    return pauseChild(this.#child)
  }

  continue(): void {
    this.#child.kill('SIGCONT')
  }

  /** Ends it, stopped or not, and removes its folder. */
  async stop(): Promise<void> {
    await this.kill()
    leavePlace(this.#place)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** What redis-cli needs to reach the port. */
  get #secure(): readonly string[] {
    const { tlsOnly } = this.#launch
    return tlsOnly ? tlsArguments(tlsOnly) : []
  }

  #spawn(): ChildProcess {
    const { program, settings, config = '', tls, tlsOnly } = this.#launch
    const file = join(this.folder, 'server.conf')
    if (!existsSync(file)) writeFileSync(file, config)
    if (tls && !existsSync(tlsFiles(this.folder).cert)) makeTlsFiles(this.folder)
    const own = [
      '--port',
      tlsOnly ? '0' : String(this.port),
      '--bind',
      '127.0.0.1',
      '--dir',
      this.folder,
      '--daemonize',
      'no',
    ]
    const secure = tlsOnly
      ? ['--tls-cluster', 'yes', '--tls-replication', 'yes', ...tlsSettings(tlsOnly, this.port)]
      : tls
        ? tlsSettings(tlsFiles(this.folder), this.port + SECOND)
        : []
    const log = openSync(join(this.folder, 'log'), 'a')
    const all = [file, ...own, '--unixsocket', this.#socket, ...secure, ...settings]
    const child = spawn(program, all, { stdio: ['ignore', log, log] })
    closeSync(log)
    child.on('error', () => {})
    ownProcess(child)
    return child
  }

  async #answersOrStops(): Promise<void> {
    try {
      await until(`an answer of ${this.#launch.program} on port ${this.port}`, async () => {
        return !this.isRunning || (await answers(this.#socket, this.#password))
      })
      if (!this.isRunning) throw new Error(`${this.#launch.program} ended at once: ${this.#lastWords()}`)
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  /** In its own folder: who answers there is no other server. It listens there after it listens on its ports. */
  get #socket(): string {
    return join(this.folder, 'socket')
  }

  #lastWords(): string {
    const path = join(this.folder, 'log')
    return existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n').slice(-4).join('\n') : ''
  }
}

function tlsOf({ port, folder }: Place, { tls, tlsOnly }: Launch, user: string): Tls | undefined {
  if (!tls && tlsOnly === undefined) return undefined
  const own = tlsOnly ? port : port + SECOND
  const { cert } = tlsOnly ?? tlsFiles(folder)
  return { port: own, url: `rediss://${user}127.0.0.1:${own}`, ca: cert }
}

const settingOf = (settings: readonly string[], name: string): string | undefined => {
  const at = settings.lastIndexOf(name)
  return at === -1 ? undefined : settings[at + 1]
}

const command = (...words: readonly string[]): string =>
  `*${words.length}\r\n${words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')}`

/** True as soon as it would serve; one that wants a password which we don't know serves those who do. */
function answers(path: string, password: string | undefined): Promise<boolean> {
  const ask = (password === undefined ? '' : command('AUTH', password)) + command('PING')
  return new Promise((resolve) => {
    let text = ''
    const socket = connect(path)
    const end = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(1000, () => end(false))
    socket.once('error', () => end(false))
    socket.once('close', () => end(false))
    socket.once('connect', () => socket.write(ask))
    socket.on('data', (data) => {
      text += data.toString()
      if (/^(\+PONG|-NOAUTH|-LOADING|-MASTERDOWN)/m.test(text)) end(/^(\+PONG|-NOAUTH)/m.test(text))
    })
  })
}
