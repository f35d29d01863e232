import type { ChildProcess } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { Histogram } from './histogram.ts'
import { Post } from './post.ts'
import type { Scene } from './scene.ts'
import type { Report, SoakChildOptions } from './soak-child.ts'

export const PRODUCERS = 2
export const WORKERS = 3

/** Of one worker: handlers that run at once. */
export const CONCURRENCY = 50

const PROGRAM = join(import.meta.dirname, 'soak-child.ts')
/** Whoever has not answered after this is paused, and its report counts as of the next time. */
const ANSWER_MS = 500

export interface CrewOptions {
  readonly leaseMs: number
  readonly retentionMs: number
  /** Jobs a second of all producers together; when left out, as many as the workers keep up with. */
  readonly rate?: number
}

/** What a process that lives as long as the crew uses. */
export interface Usage {
  readonly rss: number
  readonly heapUsed: number
  readonly resources: number
  /** File descriptors; 0 where the system does not tell. */
  readonly files: number
}

/** What all told since they were last asked. */
export interface Told {
  readonly producer: Usage | undefined
  readonly worker: Usage | undefined
  readonly accept: Histogram
  readonly start: Histogram
}

/** Producers and workers on the file of a scene, each replaced when it ends. The first of both is not to be killed. */
export class Crew implements AsyncDisposable {
  readonly producers: readonly Post[]
  readonly workers: readonly Post[]
  /** The numbers of the processes that were killed. */
  readonly killed: Set<number> = new Set<number>()
  /** How often they told of which warning, error or refused call. */
  readonly logged: Map<string, number> = new Map<string, number>()
  readonly #scene: Scene
  readonly #options: CrewOptions
  readonly #present = new Map<string, ChildProcess>()
  readonly #usage = new Map<string, Usage>()
  #failed = 0
  #accept = new Histogram()
  #start = new Histogram()
  #numbers = 0

  constructor(scene: Scene, options: CrewOptions) {
    this.#scene = scene
    this.#options = options
    this.producers = Array.from({ length: PRODUCERS }, (_, n) => this.#post('produce', n))
    this.workers = Array.from({ length: WORKERS }, (_, n) => this.#post('work', n))
  }

  /** How many ended though nobody ended them. */
  get crashed(): number {
    return [...this.producers, ...this.workers].reduce((sum, { ownKills }) => sum + ownKills, this.#failed)
  }

  async ask(): Promise<Told> {
    this.#usage.clear()
    for (const child of this.#present.values()) if (child.connected) child.send('report', () => {})
    await wait(ANSWER_MS)
    const told = {
      producer: this.#usage.get('produce 0'),
      worker: this.#usage.get('work 0'),
      accept: this.#accept,
      start: this.#start,
    }
    this.#accept = new Histogram()
    this.#start = new Histogram()
    return told
  }

  /** All end cleanly, and nobody follows. */
  async stop(posts: readonly Post[]): Promise<void> {
    for (const post of posts) {
      await post.resting
      post.stop(true)
    }
    for (const post of posts) await post.end()
  }

  /** Nobody follows those who end from now on. */
  async [Symbol.asyncDispose](): Promise<void> {
    for (const post of [...this.producers, ...this.workers]) post.stop(true)
  }

  #post(role: SoakChildOptions['role'], place: number): Post {
    const name = `${role} ${place}`
    const { leaseMs, retentionMs, rate } = this.#options
    const { folder, file } = this.#scene
    return new Post(() => {
      const number = ++this.#numbers
      const options: SoakChildOptions = {
        ...{ role, number, folder, file, leaseMs, retentionMs, concurrency: CONCURRENCY },
        ...(rate === undefined ? {} : { rate: rate / PRODUCERS }),
      }
      const { child, ended } = this.#scene.run(PROGRAM, options)
      this.#present.set(name, child)
      child.on('message', (report) => this.#hear(name, child, report as Report))
      void ended.then((how) => {
        if (how === 'SIGKILL') this.killed.add(number)
        else if (how !== 0 && ++this.#failed > 20) throw new Error(`processes of the soak end with ${how}`)
      })
      return { child, ended }
    }, false)
  }

  #hear(name: string, { pid }: ChildProcess, report: Report): void {
    const { rss, heapUsed, resources, accept, start, logged } = report
    this.#usage.set(name, { rss, heapUsed, resources, files: filesOf(pid) })
    this.#accept.merge(accept)
    this.#start.merge(start)
    for (const [message, times] of logged) this.logged.set(message, (this.logged.get(message) ?? 0) + times)
  }
}

function filesOf(pid: number | undefined): number {
  const folder = `/proc/${pid}/fd`
  return existsSync(folder) ? readdirSync(folder).length : 0
}
