import { context, propagation, SpanStatusCode, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import type { OffloadOptions } from 'offload'
import { offload, task } from 'offload'
import { tracing } from 'offload/otel'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { BackendOptions } from '../src/backend.ts'
import { openMemory } from '../src/backends/memory/index.ts'
import { silentLogger } from '../src/log.ts'

const exporter = new InMemorySpanExporter()

/** As an application starts its SDK. */
function startSdk(): void {
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
}

afterEach(() => {
  exporter.reset()
  trace.disable()
  context.disable()
  propagation.disable()
})

const mail = task('mail', { queue: 'mails', input: z.object({}), run: () => {} })
const order = task('order', {
  queue: 'orders',
  input: z.object({ fails: z.number() }),
  retry: { attempts: 3, base: 1 },
  async run({ fails }, job) {
    if (job.attempt <= fails) throw new Error('hunter2')
    await job.enqueue(mail, {})
  },
})

const open = (more: Partial<OffloadOptions> = {}) =>
  offload({ url: 'memory:', tasks: [mail, order], logger: silentLogger, observe: [tracing()], ...more })

const spans = (name: string): ReadableSpan[] =>
  exporter.getFinishedSpans().filter((span) => span.name === name)
const idOf = (span: ReadableSpan | undefined) => span?.spanContext().spanId
const traceOf = (span: ReadableSpan | undefined) => span?.spanContext().traceId
const linked = (span: ReadableSpan | undefined) => span?.links.map((link) => link.context.spanId)

/** Places an order in a span as HTTP instrumentation makes one. */
function request(run: () => Promise<unknown>): Promise<unknown> {
  return trace.getTracer('http').startActiveSpan('POST /orders', async (span) => {
    try {
      return await run()
    } finally {
      span.end()
    }
  })
}

test('from a request to what its job queues: accepted in its trace, run in one that is linked to it', async () => {
  startSdk()
  await using queue = open()
  queue.work()
  await request(() => queue.enqueue(order, { fails: 0 }))
  await vi.waitFor(() => expect(spans('settle mails')).toHaveLength(1))
  const [http] = spans('POST /orders')
  const [create] = spans('create orders')
  const [wait] = spans('wait orders')
  const [process] = spans('process orders')
  const [settle] = spans('settle orders')
  const [send] = spans('send orders')
  const [createMail] = spans('create mails')
  const [processMail] = spans('process mails')
  expect(create?.parentSpanContext?.spanId).toBe(idOf(http))
  expect(send?.parentSpanContext?.spanId).toBe(idOf(create))
  expect(wait?.parentSpanContext?.spanId).toBe(idOf(create))
  expect(linked(wait)).toEqual([idOf(process)])
  expect(traceOf(process)).not.toBe(traceOf(http))
  expect(process?.parentSpanContext).toBeUndefined()
  expect(linked(process)).toEqual([idOf(create)])
  expect(settle?.parentSpanContext?.spanId).toBe(idOf(process))
  expect(createMail?.parentSpanContext?.spanId).toBe(idOf(process))
  expect(linked(processMail)).toEqual([idOf(createMail)])
  expect(process?.attributes).toMatchObject({
    'messaging.system': 'memory',
    'messaging.operation.name': 'process',
    'messaging.operation.type': 'process',
    'messaging.destination.name': 'orders',
    'messaging.message.id': create?.attributes['messaging.message.id'],
    'offload.task': 'order',
    'offload.attempt': 1,
    'offload.outcome': 'done',
  })
  for (const span of exporter.getFinishedSpans()) expect(span.duration[0]).toBeGreaterThanOrEqual(0)
})

test('with parents one trace holds all of it', async () => {
  startSdk()
  await using queue = open({ observe: [tracing({ across: 'parent' })] })
  queue.work()
  await request(() => queue.enqueue(order, { fails: 0 }))
  await vi.waitFor(() => expect(spans('settle mails')).toHaveLength(1))
  expect(new Set(exporter.getFinishedSpans().map(traceOf)).size).toBe(1)
  expect(spans('process orders')[0]?.parentSpanContext?.spanId).toBe(idOf(spans('create orders')[0]))
  expect(spans('process orders')[0]?.links).toEqual([])
})

test('each attempt is a span that is linked to the one before, failed ones with their code and no message', async () => {
  startSdk()
  await using queue = open()
  queue.work()
  await queue.enqueue(order, { fails: 2 })
  await vi.waitFor(() => expect(spans('settle orders')).toHaveLength(3))
  const runs = spans('process orders')
  expect(runs.map(({ attributes }) => attributes['offload.attempt'])).toEqual([1, 2, 3])
  expect(runs.map(({ attributes }) => attributes['offload.outcome'])).toEqual(['retry', 'retry', 'done'])
  const create = idOf(spans('create orders')[0])
  expect(runs.map(linked)).toEqual([[create], [create, idOf(runs[0])], [create, idOf(runs[1])]])
  expect(runs.map(({ status }) => status.code)).toEqual([
    SpanStatusCode.ERROR,
    SpanStatusCode.ERROR,
    SpanStatusCode.UNSET,
  ])
  expect(runs[0]?.attributes['error.type']).toBe('HANDLER_FAILED')
  const told = exporter
    .getFinishedSpans()
    .map(({ attributes, events, status }) => ({ attributes, events, status }))
  expect(JSON.stringify(told)).not.toContain('hunter2')
})

test('jobs that are sent together have a span each, and one call that is linked to all', async () => {
  startSdk()
  await using queue = open()
  await queue.enqueueMany(mail, [{ input: {} }, { input: {} }, { input: {} }])
  await vi.waitFor(() => expect(spans('send mails')).toHaveLength(1))
  const [send] = spans('send mails')
  expect(send?.attributes['messaging.batch.message_count']).toBe(3)
  expect(linked(send)).toEqual(spans('create mails').map(idOf))
})

test('the trace of a request that came in headers is carried on where no span is active', async () => {
  startSdk()
  await using queue = open()
  queue.work()
  const traceId = '0af7651916cd43dd8448eb211c80319c'
  const traceparent = `00-${traceId}-b7ad6b7169203331-01`
  await queue.enqueue(mail, {}, { trace: { traceparent } })
  await vi.waitFor(() => expect(spans('settle mails')).toHaveLength(1))
  expect(traceOf(spans('create mails')[0])).toBe(traceId)
  expect(spans('process mails')[0]?.links[0]?.context.traceId).toBe(traceId)
})

test('a job that the backend did not take has a span that says so', async () => {
  startSdk()
  const url = {
    async open(options: BackendOptions) {
      const { broker, ...rest } = openMemory(options)
      return { ...rest, broker: { ...broker, enqueue: () => Promise.reject(new Error('gone')) } }
    },
  }
  await using queue = open({ url })
  await expect(queue.enqueue(mail, {})).rejects.toThrow('gone')
  expect(spans('create mails')[0]).toMatchObject({
    status: { code: SpanStatusCode.ERROR },
    attributes: { 'error.type': 'unknown', 'offload.answer': 'failed' },
  })
})

test('without an SDK jobs carry nothing, and one that is registered later is found', async () => {
  await using queue = open()
  const before = await queue.enqueue(mail, {})
  const given = await queue.enqueue(mail, {}, { trace: { traceparent: 'as it came' } })
  expect((await queue.get(before.id))?.trace).toBeUndefined()
  expect((await queue.get(given.id))?.trace).toEqual({ traceparent: 'as it came' })
  startSdk()
  const after = await queue.enqueue(mail, {})
  expect((await queue.get(after.id))?.trace?.traceparent).toBe(
    `00-${traceOf(spans('create mails')[0])}-${idOf(spans('create mails')[0])}-01`,
  )
})

test('baggage stays in the process, and a state that is too long is left out', async () => {
  startSdk()
  const pair = `a=${'x'.repeat(2100)}`
  propagation.disable()
  propagation.setGlobalPropagator({
    inject(_context, carrier: Record<string, string>) {
      Object.assign(carrier, { traceparent: 'p', tracestate: pair, baggage: 'user=me' })
    },
    extract: (where) => where,
    fields: () => [],
  })
  await using queue = open()
  const { id } = await queue.enqueue(mail, {})
  expect((await queue.get(id))?.trace).toEqual({ traceparent: 'p' })
})

test('what is left out has no span and carries nothing; in a span that is not sampled it carries that', async () => {
  startSdk()
  await using queue = open({ observe: [tracing({ sample: 0 })] })
  queue.work()
  const alone = await queue.enqueue(order, { fails: 0 })
  await alone.result()
  expect((await queue.get(alone.id))?.trace).toBeUndefined()
  const unsampled = { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331', traceFlags: 0 }
  const within = trace.setSpanContext(context.active(), unsampled)
  const dropped = await context.with(within, () => queue.enqueue(order, { fails: 0 }))
  await dropped.result()
  await vi.waitFor(async () => expect((await queue.find({ state: 'done' })).jobs).toHaveLength(4))
  expect((await queue.get(dropped.id))?.trace).toEqual({
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00',
  })
  expect(exporter.getFinishedSpans()).toEqual([])
  await request(() => queue.enqueue(mail, {}))
  await vi.waitFor(() => expect(spans('settle mails')).toHaveLength(1))
})

test('options that mean nothing are refused', () => {
  for (const options of [{ sample: 2 }, { sample: Number.NaN }, { across: 'both' as 'link' }])
    expect(() => tracing(options)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
})

test('what comes after the end of a traced run is in no trace: listeners, and the next job that is left out', async () => {
  startSdk()
  const seen: (string | undefined)[] = []
  const active = () => trace.getActiveSpan()?.spanContext().traceId
  const looks = task('looks', {
    input: z.object({}),
    run: async () => {
      await null
      seen.push(active())
    },
  })
  await using queue = open({ tasks: [looks], observe: [tracing({ sample: 0 })] })
  await request(() => queue.enqueue(looks, {}))
  await queue.enqueue(looks, {})
  const told: (string | undefined)[] = []
  queue.work({ concurrency: 1 }).on('done', () => told.push(active()))
  await vi.waitFor(() => expect(told).toHaveLength(2))
  expect(seen).toEqual([traceOf(spans('process default')[0]), undefined])
  expect(told).toEqual([undefined, undefined])
})
