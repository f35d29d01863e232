import type { Metric, OpenMetricsContentType } from 'prom-client'
import { Registry } from 'prom-client'

/** A page of metrics, and what its Content-Type is. */
export interface MetricsPage {
  readonly contentType: string
  readonly body: string
}

/** All that is in a registry, as whoever sent this Accept header reads it: Prometheus text, or OpenMetrics. */
export async function pageOf(register: Registry, accept = ''): Promise<MetricsPage> {
  if (!accept.includes('application/openmetrics-text'))
    return { contentType: register.contentType, body: await register.metrics() }
  const open = new Registry<OpenMetricsContentType>()
  open.setContentType(Registry.OPENMETRICS_CONTENT_TYPE)
  for (const { name, help, type, values } of await register.getMetricsAsJSON())
    open.registerMetric(new OpenMetric(name, help, type, values) as unknown as Metric)
  return { contentType: open.contentType, body: await open.metrics() }
}

/** A metric as it was read. A registry of OpenMetrics adds to the name of a counter what it takes away before. */
class OpenMetric {
  readonly name: string
  readonly help: string
  readonly type: unknown
  readonly #values: readonly unknown[]

  constructor(name: string, help: string, type: unknown, values: readonly unknown[]) {
    this.name = String(type) === 'counter' ? name.replace(/_total$/, '') : name
    this.help = help
    this.type = type
    this.#values = values
  }

  async get(): Promise<object> {
    const { name, help, type } = this
    return { name, help, type, values: this.#values }
  }
}
