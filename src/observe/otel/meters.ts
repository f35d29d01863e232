import type { Histogram, Meter, Observable, ObservableResult } from '@opentelemetry/api'
import { metrics } from '@opentelemetry/api'
import { version } from '../../version.ts'
import type { Instrument, InstrumentName } from '../metrics/instruments.ts'
import { instrumentNames, instruments } from '../metrics/instruments.ts'
import { Measures } from '../metrics/measures.ts'
import type { Observer } from '../observer.ts'

export interface MetersOptions {
  /** @default that of the SDK that is registered */
  readonly meter?: Meter
}

/** Pairs of queue and task that are told apart. */
const MOST = 200

/** The metrics of `offload/metrics` through OpenTelemetry: `offload({ observe: [meters()] })`. The SDK must be registered before. */
export function meters({ meter = metrics.getMeter('offload', version) }: MetersOptions = {}): Observer {
  const measures = new Measures(MOST)
  const histograms = histogramsOf(meter)
  const stops = instrumentNames.flatMap((name) => {
    const observable = observableOf(meter, name)
    if (observable === undefined) return []
    const callback = async (result: ObservableResult): Promise<void> => {
      for (const { value, labels } of await measures.samples(name)) result.observe(value, labels)
    }
    observable.addCallback(callback)
    return [() => observable.removeCallback(callback)]
  })
  const { observer } = measures
  return {
    ...observer,
    answered(told) {
      observer.answered?.(told)
      histograms('offload_accept_seconds').record(told.ms / 1000)
    },
    ended(told) {
      observer.ended?.(told)
      const { queue, task } = told.claim.job
      const labels = measures.labelsOf(queue, task)
      if (told.waitMs !== null) histograms('offload_job_wait_seconds').record(told.waitMs / 1000, labels)
      histograms('offload_job_run_seconds').record(told.runMs / 1000, labels)
      histograms('offload_settle_seconds').record(told.settleMs / 1000)
    },
    requested(told) {
      observer.requested?.(told)
      const { method, route, status, ms } = told
      histograms('offload_http_request_seconds').record(ms / 1000, { method, route, status: String(status) })
    },
    close() {
      for (const stop of stops) stop()
      observer.close?.()
    },
  }
}

/** What Prometheus calls `offload_job_wait_seconds` is `offload.job.wait` in seconds here: an exporter makes the one of the other. */
export function otelName(name: InstrumentName): string {
  return name.replace(/_(?:total|seconds)$/, '').replaceAll('_', '.')
}

function settingsOf(name: InstrumentName): { description: string; unit: string } {
  return { description: instruments[name].help, unit: name.endsWith('_seconds') ? 's' : '' }
}

function observableOf(meter: Meter, name: InstrumentName): Observable | undefined {
  switch (instruments[name].kind) {
    case 'counter':
      return meter.createObservableCounter(otelName(name), settingsOf(name))
    case 'gauge':
      return meter.createObservableGauge(otelName(name), settingsOf(name))
    case 'histogram':
      return undefined
  }
}

function histogramsOf(meter: Meter): (name: InstrumentName) => Histogram {
  const made = new Map<InstrumentName, Histogram>()
  for (const name of instrumentNames) {
    const { kind, bounds = [] }: Instrument = instruments[name]
    if (kind !== 'histogram') continue
    const advice = { explicitBucketBoundaries: [...bounds] }
    made.set(name, meter.createHistogram(otelName(name), { ...settingsOf(name), advice }))
  }
  return (name) => made.get(name) as Histogram
}
