import { createWriteStream } from 'node:fs'
import { context, propagation, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { BasicTracerProvider, BatchSpanProcessor } from '@opentelemetry/sdk-trace-base'
import { metrics } from 'offload/metrics'
import { meters, tracing } from 'offload/otel'
import { pino } from 'pino'
import { Registry } from 'prom-client'

/** What takes spans and does nothing with them: an exporter's own work is not Offload's. */
const nowhere = { export: (_spans, done) => done({ code: 0 }), shutdown: async () => {} }

let isStarted = false

/** As an application starts its SDK, once. */
function startSdk() {
  if (isStarted) return
  isStarted = true
  const provider = new BasicTracerProvider({ spanProcessors: [new BatchSpanProcessor(nowhere)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
}

/** Asks for all figures once a second, as a scrape does. */
function scraped(counts) {
  const timer = setInterval(() => void counts.page(), 1000)
  const close = () => {
    clearInterval(timer)
    counts.close()
  }
  return { ...counts, close }
}

class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE })
    setInterval(() => void this.collect(), 1000)
  }
  async onShutdown() {}
  async onForceFlush() {}
}

const logged = () => ({ log: true, logger: pino({ level: 'info' }, createWriteStream('/dev/null')) })
const counted = () => scraped(metrics({ register: new Registry() }))
const traced = (sample) => {
  startSdk()
  return tracing({ sample })
}

let provider
const meter = () => {
  provider ??= new MeterProvider({ readers: [new Reader()] })
  return provider.getMeter('bench')
}

/** What offload() is given besides. */
export const ways = {
  nothing: () => ({}),
  logs: () => logged(),
  metrics: () => ({ observe: [counted()] }),
  'traces, no SDK': () => ({ observe: [tracing()] }),
  'traces, 1 of 100': () => ({ observe: [traced(0.01)] }),
  all: () => ({ ...logged(), observe: [counted(), traced(0.01)] }),
  'traces, each': () => ({ observe: [traced(1)] }),
  'OpenTelemetry metrics': () => ({ observe: [meters({ meter: meter() })] }),
}
