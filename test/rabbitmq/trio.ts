import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { RabbitServer } from '../../scripts/servers/rabbit-server.ts'
import type { SceneOptions } from '../faults/scene.ts'
import { Scene } from '../faults/scene.ts'
import type { Telling } from '../faults/telling.ts'

/** Where the jobs are remembered: the three ways in which RabbitMQ is used. */
export const modes = ['sqlite', 'redis', 'none'] as const
export type Mode = (typeof modes)[number]

/** Hosts and ports of the one or other end, as a url names them. */
export interface Ends {
  readonly producer: string
  readonly worker: string
}

export interface TrioOptions extends SceneOptions {
  /** The server itself, unless told otherwise. */
  readonly through?: (mode: Mode) => Ends
  /** More options of the url: `heartbeat=1`. */
  readonly query?: string
}

let trios = 0

/** One server under load in all three ways at once: what is done to it is done to each. */
export class Trio implements AsyncDisposable {
  readonly scenes: Readonly<Record<Mode, Scene>>
  readonly #nodes: readonly RabbitServer[]
  readonly #prefix = `trio-${++trios}`
  readonly #folder = mkdtempSync(join(tmpdir(), 'offload-faults-'))
  readonly #query: string
  readonly #backMs: Readonly<Record<Mode, number[]>> = { sqlite: [], redis: [], none: [] }

  /** @param redis the url of the server that is one of the ledgers */
  constructor(
    nodes: readonly RabbitServer[],
    redis: string,
    { through, query = '', ...options }: TrioOptions = {},
  ) {
    this.#nodes = nodes
    this.#query = query
    const own = nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')
    const ledgers: Readonly<Record<Mode, string>> = {
      sqlite: `sqlite:${join(this.#folder, 'ledger.db')}`,
      redis: `${redis}/0?prefix=${this.#prefix}`,
      none: 'none',
    }
    const scene = (mode: Mode): Scene => {
      const { producer, worker } = through?.(mode) ?? { producer: own, worker: own }
      const places = {
        producer: this.#url(producer, mode),
        worker: this.#url(worker, mode),
        direct: this.#url(own, mode),
        ledger: ledgers[mode],
        left: async () => (await this.messages())[mode],
      }
      const { left: _, ...remembered } = places
      return new Scene(mode === 'none' ? places : remembered, {
        longMs: 300,
        lanes: 3,
        mostWaiting: 30,
        throws: true,
        ...options,
      })
    }
    this.scenes = { sqlite: scene('sqlite'), redis: scene('redis'), none: scene('none') }
  }

  work(concurrency?: number): void {
    for (const mode of modes) this.scenes[mode].work(concurrency)
  }

  load(): void {
    for (const mode of modes) this.scenes[mode].load()
  }

  /** Everything flows in all of them, until so many more jobs than now were accepted and run. */
  async flows(more?: number): Promise<void> {
    await Promise.all(modes.map((mode) => this.scenes[mode].flows(more)))
  }

  /** Notes for each how long it takes from now on until a job is accepted and begins. */
  async flowsAgain(): Promise<void> {
    await Promise.all(
      modes.map(async (mode) => {
        this.#backMs[mode].push(await this.scenes[mode].flowsAgain())
      }),
    )
  }

  /** Ends the load and expects that none of the three (or of those named) has lost anything, ended a job twice, or kept one. */
  async survived(telling: Telling, what: string, those: readonly Mode[] = modes): Promise<void> {
    await Promise.all(modes.map((mode) => this.scenes[mode].rest()))
    for (const mode of modes) {
      const tally = await this.scenes[mode].count()
      const how = those.includes(mode) ? 'survived' : 'told'
      const where = tally.stuck > 0 ? ` (on the server: ${(await this.#held(mode)).join(', ')})` : ''
      telling[how](`${what}; ${nameOf[mode]}${where}`, tally, this.#backMs[mode])
    }
  }

  /** The name of the queue of this mode on the server. */
  queueOf(mode: Mode): string {
    return `${this.#prefix}-${mode}.jobs.default`
  }

  /** Until a crash of a node leaves all queues there are; see {@link RabbitServer.registered}. */
  async registered(): Promise<void> {
    const own = (await this.#list('name')).filter((name) => name.startsWith(`${this.#prefix}-`))
    await Promise.all(this.#nodes.flatMap((node) => own.map((name) => node.registered(name))))
  }

  /** How many are on the server, in every queue but the dead letters, those in hand among them. */
  async messages(): Promise<Readonly<Record<Mode, number>>> {
    const counts = { sqlite: 0, redis: 0, none: 0 }
    for (const line of await this.#list('name', 'messages')) {
      const [name = '', messages] = line.split('\t')
      for (const mode of modes) {
        const prefix = `${this.#prefix}-${mode}.`
        if (name.startsWith(prefix) && !name.startsWith(`${prefix}dead.`)) counts[mode] += Number(messages)
      }
    }
    return counts
  }

  /** The queues of a mode that hold something: how much, ready, in hand. Where the rest is more than nothing, the server itself moves it. */
  async #held(mode: Mode): Promise<string[]> {
    const lines = await this.#list('name', 'messages', 'messages_ready', 'messages_unacknowledged')
    return lines
      .filter((line) => line.startsWith(`${this.#prefix}-${mode}.`) && line.split('\t')[1] !== '0')
      .map((line) => line.replaceAll('\t', ' '))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(modes.map((mode) => this.scenes[mode][Symbol.asyncDispose]()))
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #list(...columns: readonly string[]): Promise<readonly string[]> {
    const node = this.#nodes.find(({ isRunning }) => isRunning) ?? (this.#nodes[0] as RabbitServer)
    return (await node.ctl('list_queues', '--quiet', ...columns)).split('\n')
  }

  #url(at: string, mode: Mode): string {
    return `amqp://${at}?prefix=${this.#prefix}-${mode}${this.#query && `&${this.#query}`}`
  }
}

/** As a line of the report says it. */
export const nameOf: Readonly<Record<Mode, string>> = {
  sqlite: 'beside SQLite',
  redis: 'beside Redis',
  none: 'alone',
}
