import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { MetricObjectWithValues, MetricValue, PrometheusContentType, Registry } from 'prom-client'
import { AggregatorRegistry } from 'prom-client'
import type { MetricsPage } from '../observe/metrics/page.ts'
import { pageOf } from '../observe/metrics/page.ts'

type Counted = MetricObjectWithValues<MetricValue<string>>

/** What counts in one process. */
export interface OwnMetrics {
  getMetricsAsJSON(): Promise<readonly Counted[]>
}

/** A worker that does not answer within this time is told of as it was last. */
const PATIENCE_MS = 1000

const ASK = 'offload: metrics?'
const TELL = 'offload: metrics'

/** In a process of a pool: tells what it counted when the pool asks, and at its end. */
export function tellMetrics(own: OwnMetrics): { readonly last: () => Promise<void> } {
  const tell = async (): Promise<void> => {
    const metrics = await own.getMetricsAsJSON()
    await new Promise<void>((resolve) => {
      if (process.send === undefined || !process.connected) resolve()
      else process.send({ type: TELL, metrics }, undefined, undefined, () => resolve())
    })
  }
  process.on('message', (message) => {
    if (typeOf(message) === ASK) void tell()
  })
  return { last: tell }
}

/** What all processes of a pool counted, as one page: sums, and where each tells the same, that. Of those that ended, what they counted stays. */
export class PoolMetrics {
  readonly #own: OwnMetrics
  readonly #told = new Map<ChildProcess, readonly Counted[]>()
  readonly #asked = new Map<ChildProcess, () => void>()
  #gone: readonly Counted[] = []
  #asking: Promise<unknown> | undefined

  constructor(own: OwnMetrics) {
    this.#own = own
  }

  watch(child: ChildProcess): ChildProcess {
    this.#told.set(child, [])
    child.on('message', (message) => {
      if (typeOf(message) !== TELL || !this.#told.has(child)) return
      this.#told.set(child, (message as { metrics: readonly Counted[] }).metrics)
      this.#asked.get(child)?.()
    })
    // What it said last may be read after its end is known.
    void Promise.all([once(child, 'exit'), once(child, 'disconnect')])
      .catch(() => {})
      .then(() => this.#end(child))
    return child
  }

  async page(accept?: string): Promise<MetricsPage> {
    this.#asking ??= Promise.all([...this.#told.keys()].map((child) => this.#ask(child))).finally(() => {
      this.#asking = undefined
    })
    await this.#asking
    const own = await this.#own.getMetricsAsJSON()
    return pageOf(together([own, this.#gone, ...this.#told.values()]), accept)
  }

  #ask(child: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(late)
        this.#asked.delete(child)
        resolve()
      }
      const late = setTimeout(done, PATIENCE_MS)
      this.#asked.set(child, done)
      if (!child.connected) done()
      else child.send({ type: ASK }, (error) => void (error && done()))
    })
  }

  async #end(child: ChildProcess): Promise<void> {
    const last = this.#told.get(child) ?? []
    this.#told.delete(child)
    this.#asked.get(child)?.()
    this.#gone = await together([this.#gone, last.filter(onlyGrows)]).getMetricsAsJSON()
  }
}

/** The type of a metric is a word, whatever the types of prom-client say. */
function onlyGrows({ type }: Counted): boolean {
  return ['counter', 'histogram'].includes(String(type))
}

function together(all: readonly (readonly Counted[])[]): Registry {
  return AggregatorRegistry.aggregate<PrometheusContentType>(all as object[])
}

function typeOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null ? (message as { type?: unknown }).type : undefined
}
