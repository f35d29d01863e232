import type { Attributes, Context, Link, Span, SpanContext, Tracer } from '@opentelemetry/api'
import {
  context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  trace,
} from '@opentelemetry/api'
import type { Claim } from '../../broker.ts'
import { OffloadError } from '../../job/errors.ts'
import type { Job } from '../../job/job.ts'
import { version } from '../../version.ts'
import type { AnsweredCall, EndedAttempt, Observed, Observer, Within } from '../observer.ts'
import { attributesOf } from './attributes.ts'
import { carried, carrying, isSampled, isUnsampled, unsampled } from './carrier.ts'
import { ProviderWatch } from './provider.ts'
import { Recent } from './recent.ts'

export interface TracingOptions {
  /** @default that of the SDK that was registered, now or later */
  readonly tracer?: Tracer
  /**
   * How the span of a run knows the span that queued its job: `link`, a trace of its own that is linked to it, as OpenTelemetry has
   * it; or `parent`, one trace for both, which a sampler takes or leaves as a whole. @default 'link'
   */
  readonly across?: 'link' | 'parent'
  /**
   * Of what begins outside of any trace, the part that is traced: jobs that are queued in no span, and runs of jobs that carry
   * none. Unlike a sampler of the SDK it costs what is left out nothing. @default 1
   */
  readonly sample?: number
}

/** Attempts whose next one finds their span again. */
const MOST_RECENT = 1000
const MOST_LINKS = 128

/** Spans of jobs by OpenTelemetry's conventions for messaging: `offload({ observe: [tracing()] })`. Without an SDK it does nothing. */
export function tracing(options: TracingOptions = {}): Observer {
  return new Tracing(options)
}

/** A span of a run that is recorded. */
interface Run {
  readonly span: Span
  /** Milliseconds since the epoch. */
  readonly begun: number
  readonly producer: Context | undefined
}

class Tracing implements Observer {
  readonly #tracer: Tracer
  readonly #provider = new ProviderWatch()
  #hasSdk: boolean
  readonly #isParent: boolean
  readonly #sample: number
  #observed: Observed | undefined
  /** The span of each job that is being sent, by what the job carries: that is the same object in every copy of the job. */
  readonly #created = new Map<object, Span>()
  #creating = 0
  readonly #runs = new Map<Claim, Run>()
  readonly #recent = new Recent<SpanContext>(MOST_RECENT)

  constructor({ tracer, across = 'link', sample = 1 }: TracingOptions) {
    if (across !== 'link' && across !== 'parent')
      throw new OffloadError('OPTION_INVALID', `across is 'link' or 'parent', not ${JSON.stringify(across)}`)
    if (!(sample >= 0 && sample <= 1))
      throw new OffloadError('OPTION_INVALID', `sample is a number from 0 to 1, not ${String(sample)}`)
    this.#sample = sample
    this.#tracer = tracer ?? trace.getTracer('offload', version)
    this.#hasSdk = tracer !== undefined
    this.#isParent = across === 'parent'
  }

  attach(observed: Observed): void {
    this.#observed = observed
  }

  sending(job: Job): Job {
    if (this.#isOff) return job
    const active = context.active()
    const around = active === ROOT_CONTEXT ? undefined : trace.getSpanContext(active)
    if (around === undefined && job.trace === undefined && this.#leavesOut()) return job
    if (around !== undefined && !isSampled(around)) return { ...job, trace: unsampled(around) }
    // Whoever calls in a span means that one; else it may be that of a request, as its headers tell.
    const parent = around === undefined ? (carried(job, active) ?? active) : active
    const span = this.#tracer.startSpan(
      `create ${job.queue}`,
      { kind: SpanKind.PRODUCER, attributes: this.#about('create', job) },
      parent,
    )
    if (!isSpanContextValid(span.spanContext())) return job
    const sent = carrying(job, trace.setSpan(parent, span))
    if (span.isRecording() && sent.trace !== undefined) {
      this.#created.set(sent.trace, span)
      this.#creating++
    }
    return sent
  }

  answered({ jobs, accepted, error, ms }: AnsweredCall): void {
    if (this.#creating === 0) return
    const now = Date.now()
    const links: Link[] = []
    for (const [index, { trace: carrier }] of jobs.entries()) {
      const span = carrier === undefined ? undefined : this.#created.get(carrier)
      if (span === undefined || carrier === undefined) continue
      this.#created.delete(carrier)
      this.#creating--
      const status = accepted?.[index]?.status
      if (status !== 'queued') span.setAttribute('offload.answer', status ?? 'failed')
      if (error !== undefined) fail(span, errorType(error))
      span.end(now)
      links.push({ context: span.spanContext() })
    }
    const [first] = links
    if (first !== undefined) this.#send(jobs, links, first.context, { error, now, ms })
  }

  around(claim: Claim): Within | undefined {
    if (this.#isOff) return undefined
    const { job, attempt } = claim
    if (job.trace === undefined && this.#leavesOut()) return undefined
    const producer = carried(job, ROOT_CONTEXT)
    // What it queues is left out as it is itself.
    if (job.trace !== undefined && isUnsampled(job.trace)) return inContext(producer ?? ROOT_CONTEXT)
    const begun = Date.now()
    const span = this.#tracer.startSpan(
      `process ${job.queue}`,
      {
        kind: SpanKind.CONSUMER,
        startTime: begun,
        attributes: { ...this.#about('process', job), 'offload.attempt': attempt },
        links: this.#linksOf(job.id, attempt, producer),
      },
      this.#isParent ? (producer ?? ROOT_CONTEXT) : ROOT_CONTEXT,
    )
    if (span.isRecording()) this.#runs.set(claim, { span, begun, producer })
    return inContext(trace.setSpan(ROOT_CONTEXT, span))
  }

  ended({ claim, outcome, fault, waitMs, runMs, settleMs }: EndedAttempt): void {
    const run = this.#runs.size === 0 ? undefined : this.#runs.get(claim)
    if (run === undefined) return
    this.#runs.delete(claim)
    const { span, begun, producer } = run
    const { job } = claim
    const own = trace.setSpan(ROOT_CONTEXT, span)
    if (waitMs !== null && producer !== undefined)
      this.#tracer
        .startSpan(
          `wait ${job.queue}`,
          {
            startTime: begun - waitMs,
            attributes: this.#about('wait', job),
            links: [{ context: span.spanContext() }],
          },
          producer,
        )
        .end(begun)
    const endedAt = begun + runMs
    this.#tracer
      .startSpan(
        `settle ${job.queue}`,
        {
          kind: SpanKind.CLIENT,
          startTime: endedAt,
          attributes: { ...this.#about('settle', job), 'offload.outcome': outcome },
        },
        own,
      )
      .end(endedAt + settleMs)
    span.setAttribute('offload.outcome', outcome)
    if (outcome === 'retry' || outcome === 'dead' || outcome === 'lost') fail(span, fault?.code ?? outcome)
    if (outcome === 'retry' || outcome === 'snooze') this.#recent.set(job.id, span.spanContext())
    span.end(endedAt)
  }

  /** The span of a call to the backend, which may take the jobs of many traces. */
  #send(
    jobs: readonly Job[],
    links: readonly Link[],
    first: SpanContext,
    { error, now, ms }: { error: unknown; now: number; ms: number },
  ): void {
    const isAlone = jobs.length === 1
    const queues = new Set(jobs.map(({ queue }) => queue))
    const queue = queues.size === 1 ? jobs[0]?.queue : undefined
    const span = this.#tracer.startSpan(
      queue === undefined ? 'send' : `send ${queue}`,
      {
        kind: SpanKind.CLIENT,
        startTime: now - ms,
        attributes: attributesOf('send', this.#system, queue, {
          ...(isAlone
            ? { 'messaging.message.id': jobs[0]?.id }
            : { 'messaging.batch.message_count': jobs.length }),
        }),
        links: isAlone ? [] : links.slice(0, MOST_LINKS),
      },
      isAlone ? trace.setSpanContext(ROOT_CONTEXT, first) : ROOT_CONTEXT,
    )
    if (error !== undefined) fail(span, errorType(error))
    span.end(now)
  }

  #leavesOut(): boolean {
    return this.#sample < 1 && Math.random() >= this.#sample
  }

  #linksOf(jobId: string, attempt: number, producer: Context | undefined): Link[] {
    const links: Link[] = []
    const queued = producer === undefined || this.#isParent ? undefined : trace.getSpanContext(producer)
    if (queued !== undefined) links.push({ context: queued })
    const before = attempt > 1 || this.#recent.size > 0 ? this.#recent.take(jobId) : undefined
    if (before !== undefined)
      links.push({ context: before, attributes: { 'offload.link': 'attempt before' } })
    return links
  }

  #about(operation: string, { id, queue, task }: Job): Attributes {
    return attributesOf(operation, this.#system, queue, { 'messaging.message.id': id, 'offload.task': task })
  }

  get #system(): string {
    return this.#observed?.backend()?.split('+', 1)[0] ?? 'offload'
  }

  /** While no SDK is registered nothing is made for it. */
  get #isOff(): boolean {
    this.#hasSdk ||= this.#provider.isThere
    return !this.#hasSdk
  }
}

function inContext(where: Context): Within {
  return (run) => context.with(where, run)
}

function fail(span: Span, type: string): void {
  span.setAttribute('error.type', type)
  span.setStatus({ code: SpanStatusCode.ERROR })
}

function errorType(error: unknown): string {
  return error instanceof OffloadError ? error.code : 'unknown'
}
