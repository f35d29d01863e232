import type { Context, SpanContext } from '@opentelemetry/api'
import { propagation, TraceFlags, trace } from '@opentelemetry/api'
import type { Job } from '../../job/job.ts'

/** What a job may carry in all: it travels in headers. */
const MOST_CHARACTERS = 2048

/** The job with the context in it, as the propagators of the SDK write it. Baggage stays here: it may say who somebody is. */
export function carrying(job: Job, where: Context): Job {
  const carrier: Record<string, string> = {}
  propagation.inject(where, carrier)
  delete carrier.baggage
  if (sizeOf(carrier) > MOST_CHARACTERS) delete carrier.tracestate
  const isUsable = Object.keys(carrier).length > 0 && sizeOf(carrier) <= MOST_CHARACTERS
  return isUsable ? { ...job, trace: carrier } : job
}

/** The context that a job carries; undefined where it carries none that can be read. */
export function carried({ trace: carrier }: Job, base: Context): Context | undefined {
  if (carrier === undefined) return undefined
  const found = propagation.extract(base, carrier)
  return trace.getSpanContext(found) === undefined ? undefined : found
}

export function isSampled({ traceFlags }: SpanContext): boolean {
  return (traceFlags & TraceFlags.SAMPLED) !== 0
}

/** What a job carries of a trace that is not taken, so that its run is not taken either. */
export function unsampled({ traceId, spanId }: SpanContext): Record<string, string> {
  return { traceparent: `00-${traceId}-${spanId}-00` }
}

/** Whether whoever queued a job left its trace out: told without reading the rest. */
export function isUnsampled({ traceparent }: Readonly<Record<string, string>>): boolean {
  return traceparent?.length === TRACEPARENT_LENGTH && (Number.parseInt(traceparent.slice(-2), 16) & 1) === 0
}

const TRACEPARENT_LENGTH = 55

function sizeOf(carrier: Readonly<Record<string, string>>): number {
  return Object.entries(carrier).reduce((sum, [name, value]) => sum + name.length + value.length, 0)
}
