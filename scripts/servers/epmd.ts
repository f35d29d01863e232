import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { connect } from 'node:net'
import { isRunning, killChild, ownProcess } from './leftovers.ts'
import type { Place } from './place.ts'
import { leavePlace, takeFolder, takePlace } from './place.ts'
import { until } from './until.ts'

/** Where Erlang nodes find each other by name. One of our own, so that they neither meet others nor leave one behind. */
export class Epmd {
  readonly #place: Place
  #child: ChildProcess | undefined

  private constructor(place: Place) {
    this.#place = place
  }

  static async start(): Promise<Epmd> {
    const epmd = new Epmd(await takePlace())
    await epmd.start()
    return epmd
  }

  get port(): number {
    return this.#place.port
  }

  /** Starts it on its port if it does not run. */
  async start(): Promise<void> {
    if (this.#child !== undefined && isRunning(this.#child)) return
    const { port, folder } = this.#place
    if (!existsSync(folder) && !takeFolder(folder)) throw new Error(`${folder} is taken`)
    const child = spawn('epmd', ['-port', String(port), '-address', '127.0.0.1'], { stdio: 'ignore' })
    child.on('error', () => {})
    ownProcess(child)
    this.#child = child
    try {
      await until(`an epmd on port ${port}`, () => accepts(port))
    } catch (error) {
      await this.stop()
      throw error
    }
  }

  async stop(): Promise<void> {
    if (this.#child !== undefined) await killChild(this.#child)
    leavePlace(this.#place)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('error', () => resolve(false))
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
  })
}
