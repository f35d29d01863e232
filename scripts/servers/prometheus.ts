import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isRunning, killChild, ownProcess } from './leftovers.ts'
import type { Place } from './place.ts'
import { leavePlace, takePlace } from './place.ts'
import { findPrometheus } from './programs.ts'
import { until } from './until.ts'

export interface PrometheusOptions {
  /** Hosts and ports that are scraped at `/metrics` once a second. */
  readonly targets: readonly string[]
  /** The text of a file of rules, which are evaluated once a second. */
  readonly rules: string
}

/** A Prometheus on a port of loopback, with a folder for its data. */
export class Prometheus implements AsyncDisposable {
  readonly url: string
  readonly #place: Place
  readonly #child: ChildProcess

  private constructor(place: Place, child: ChildProcess) {
    this.url = `http://127.0.0.1:${place.port}`
    this.#place = place
    this.#child = child
  }

  /** Undefined where there is none and none can be installed. */
  static async start({ targets, rules }: PrometheusOptions): Promise<Prometheus | undefined> {
    const program = findPrometheus()
    if (program === undefined) return undefined
    const place = await takePlace()
    writeFileSync(join(place.folder, 'rules.yaml'), rules)
    writeFileSync(join(place.folder, 'prometheus.yaml'), configOf(targets))
    const log = openSync(join(place.folder, 'log'), 'a')
    const settings = {
      'config.file': join(place.folder, 'prometheus.yaml'),
      'storage.tsdb.path': join(place.folder, 'data'),
      'web.listen-address': `127.0.0.1:${place.port}`,
    }
    const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`)
    const child = spawn(program, words, { stdio: ['ignore', log, log] })
    closeSync(log)
    child.on('error', () => {})
    ownProcess(child)
    const server = new Prometheus(place, child)
    await server.#answersOrStops()
    return server
  }

  /** The answer of its API, such as `query?query=up`. */
  // biome-ignore lint/suspicious/noExplicitAny: the answer of a server is compared, not used
  async ask(what: string): Promise<any> {
    const answer = await fetch(`${this.url}/api/v1/${what}`)
    const { status, data, error } = (await answer.json()) as { status: string; data: unknown; error?: string }
    if (status !== 'success') throw new Error(`${what}: ${error}`)
    return data
  }

  async stop(): Promise<void> {
    await killChild(this.#child)
    leavePlace(this.#place)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  async #answersOrStops(): Promise<void> {
    try {
      await until(`an answer of Prometheus at ${this.url}`, async () => {
        return !isRunning(this.#child) || (await fetch(`${this.url}/-/ready`)).ok
      })
      if (!isRunning(this.#child))
        throw new Error(`Prometheus ended at once: ${readFileSync(join(this.#place.folder, 'log'), 'utf8')}`)
    } catch (error) {
      await this.stop()
      throw error
    }
  }
}

/** JSON is YAML. */
function configOf(targets: readonly string[]): string {
  return JSON.stringify({
    global: { scrape_interval: '1s', scrape_timeout: '1s', evaluation_interval: '1s' },
    rule_files: ['rules.yaml'],
    scrape_configs: [{ job_name: 'offload', static_configs: [{ targets }] }],
  })
}
