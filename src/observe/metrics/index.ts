import type { Metric, Registry } from 'prom-client'
import { register as sharedRegister } from 'prom-client'
import { OffloadError } from '../../job/errors.ts'
import { positive } from '../../positive.ts'
import type { Observer } from '../observer.ts'
import type { Instrument, InstrumentName } from './instruments.ts'
import { instrumentNames, instruments } from './instruments.ts'
import type { Labels } from './measures.ts'
import { Measures } from './measures.ts'
import type { MetricsPage } from './page.ts'
import { pageOf } from './page.ts'

export type { MetricsPage } from './page.ts'

export interface MetricsOptions {
  /** Where the metrics are found. @default the shared registry of prom-client */
  readonly register?: Registry
  /** Pairs of queue and task that are told apart; what comes later is `other`. @default 200 */
  readonly most?: number
}

/** Metrics of one queue, to be given to `offload({ observe: [...] })`. */
export interface Metrics extends Observer {
  readonly register: Registry
  /** All that is in the registry, as whoever sent this Accept header reads it: Prometheus text, or OpenMetrics. */
  page(accept?: string): Promise<MetricsPage>
}

const MOST = 200

/** Counts what a process does with jobs, for Prometheus: `offload({ observe: [metrics()] })`. @throws OPTION_INVALID */
export function metrics({ register = sharedRegister, most = MOST }: MetricsOptions = {}): Metrics {
  const measures = new Measures(positive(most, 'most'))
  const { observer } = measures
  if (instrumentNames.some((name) => register.getSingleMetric(name) !== undefined))
    throw new OffloadError(
      'OPTION_INVALID',
      'the metrics of another queue are in this registry: give each a registry of its own, metrics({ register: new Registry() })',
    )
  for (const name of instrumentNames) register.registerMetric(new Counted(name, measures).asMetric())
  return {
    ...observer,
    close() {
      observer.close?.()
      for (const name of instrumentNames) register.removeSingleMetric(name)
    },
    register,
    page: (accept) => pageOf(register, accept),
  }
}

interface Value {
  readonly labels: Labels
  readonly value: number
  readonly metricName?: string
}

/**
 * What a registry asks of a metric. Not one of prom-client's own, which finds its labels anew at each observation and cannot
 * be given what was counted elsewhere.
 */
class Counted {
  /** A registry of OpenMetrics cuts `_total` off it. */
  readonly name: string
  readonly help: string
  readonly type: Instrument['kind']
  readonly aggregator: 'sum' | 'max'
  readonly #instrument: InstrumentName
  readonly #measures: Measures

  constructor(name: InstrumentName, measures: Measures) {
    const { help, kind, isAsked, isGreatest } = instruments[name]
    this.name = name
    this.#instrument = name
    this.help = help
    this.type = kind
    // The processes of a cluster tell the same of a store.
    this.aggregator = isAsked || isGreatest ? 'max' : 'sum'
    this.#measures = measures
  }

  async get(): Promise<object> {
    const { name, help, type, aggregator } = this
    const values = type === 'histogram' ? this.#buckets() : await this.#measures.samples(this.#instrument)
    return { name, help, type, aggregator, values }
  }

  /** What was counted stays: it is the queue's. */
  reset(): void {}

  asMetric(): Metric {
    return this as unknown as Metric
  }

  #buckets(): readonly Value[] {
    return this.#measures.spreads(this.#instrument).flatMap(({ labels, histogram }) => {
      const { upTo, count, sum } = histogram.read()
      const named = (suffix: string, value: number, more: Labels = {}): Value => ({
        metricName: `${this.#instrument}_${suffix}`,
        labels: { ...labels, ...more },
        value,
      })
      return [
        ...upTo.map((value, index) => named('bucket', value, { le: String(histogram.bounds[index]) })),
        named('bucket', count, { le: '+Inf' }),
        named('sum', sum),
        named('count', count),
      ]
    })
  }
}
