import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import type { MetricObjectWithValues, MetricValue, PrometheusContentType, Registry } from 'prom-client'
import { AggregatorRegistry } from 'prom-client'
import { instrumentNames, instruments } from '../observe/metrics/instruments.ts'
import type { MetricsPage } from '../observe/metrics/page.ts'
import { pageOf } from '../observe/metrics/page.ts'

type Counted = MetricObjectWithValues<MetricValue<string>>

/** A worker that does not answer within this time is told of by what it counted before. */
const PATIENCE_MS = 1000

const ASK = 'offload: metrics?'
const TELL = 'offload: metrics'

/** In a process of a pool: tells what it counted when the pool asks. Answers how to tell it for the last time. Nothing of it rejects. */
export function tellMetrics(own: Registry): () => Promise<void> {
  // Every process would ask the store the same: that is left to the one that started them.
  for (const name of instrumentNames) if (instruments[name].isAsked) own.removeSingleMetric(name)
  const tell = async (): Promise<void> => {
    const metrics = await own.getMetricsAsJSON().catch(() => undefined)
    await new Promise<void>((resolve) => {
      if (process.send === undefined || !process.connected) resolve()
      else process.send({ type: TELL, metrics }, undefined, undefined, () => resolve())
    })
  }
  process.on('message', (message) => {
    if (typeOf(message) === ASK) void tell()
  })
  return tell
}

/** What all processes of a pool counted, as one page: sums, and where each tells the same, that. Of those that ended, what they counted stays. */
export class PoolMetrics {
  readonly #own: Registry
  readonly #told = new Map<ChildProcess, readonly Counted[]>()
  readonly #asked = new Map<ChildProcess, (metrics?: readonly Counted[]) => void>()
  #gone: readonly Counted[] = []
  #asking: Promise<unknown> | undefined

  constructor(own: Registry) {
    this.#own = own
  }

  watch(child: ChildProcess): ChildProcess {
    this.#told.set(child, [])
    child.on('message', (message) => {
      if (typeOf(message) === TELL) this.#onTold(child, (message as { metrics?: readonly Counted[] }).metrics)
    })
    // What it said last may be read after its end is known.
    void Promise.all([once(child, 'exit'), once(child, 'disconnect')])
      .finally(() => this.#end(child))
      .catch(() => {})
    return child
  }

  /** @throws what a metric of the user's own throws in this process */
  async page(accept?: string): Promise<MetricsPage> {
    this.#asking ??= Promise.all([...this.#told.keys()].map((child) => this.#ask(child))).finally(() => {
      this.#asking = undefined
    })
    await this.#asking
    const own = await this.#own.getMetricsAsJSON()
    return pageOf(together([own, this.#gone, ...this.#told.values()]), accept)
  }

  #onTold(child: ChildProcess, metrics: readonly Counted[] | undefined): void {
    if (!this.#told.has(child)) return
    if (metrics !== undefined) this.#told.set(child, metrics)
    this.#asked.get(child)?.(metrics)
  }

  /** What it says no more is not told as if it were so: only what it counted stays. */
  #ask(child: ChildProcess): Promise<void> {
    return new Promise((resolve) => {
      const done = (metrics?: readonly Counted[]): void => {
        clearTimeout(late)
        this.#asked.delete(child)
        if (metrics === undefined && this.#told.has(child)) this.#told.set(child, this.#countedBy(child))
        resolve()
      }
      const late = setTimeout(done, PATIENCE_MS)
      this.#asked.set(child, done)
      if (!child.connected) done()
      else child.send({ type: ASK }, (error) => void (error && done()))
    })
  }

  #end(child: ChildProcess): void {
    const counted = this.#countedBy(child)
    this.#told.delete(child)
    this.#asked.get(child)?.()
    // In one step, so that no page and no other end comes in between.
    this.#gone = together([this.#gone, counted]).getMetricsAsArray() as unknown as readonly Counted[]
  }

  #countedBy(child: ChildProcess): readonly Counted[] {
    return (this.#told.get(child) ?? []).filter(onlyGrows)
  }
}

/** The type of a metric is a word, whatever the types of prom-client say. */
function onlyGrows({ type }: Counted): boolean {
  return ['counter', 'histogram'].includes(String(type))
}

function together(all: readonly (readonly Counted[])[]): Registry {
  const summed = all.map((metrics) =>
    metrics.map((metric) => ({ ...metric, aggregator: metric.aggregator ?? 'sum' })),
  )
  return AggregatorRegistry.aggregate<PrometheusContentType>(summed)
}

function typeOf(message: unknown): unknown {
  return typeof message === 'object' && message !== null ? (message as { type?: unknown }).type : undefined
}
