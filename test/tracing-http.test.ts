import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { context, propagation, SpanKind, trace } from '@opentelemetry/api'
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks'
import { W3CTraceContextPropagator } from '@opentelemetry/core'
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base'
import Fastify from 'fastify'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { tracing } from 'offload/otel'
import { expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'

const exporter = new InMemorySpanExporter()

const mail = task('order.mail', {
  queue: 'mails',
  input: z.object({ to: z.email() }),
  run: ({ to }) =>
    trace.getTracer('smtp').startActiveSpan('SMTP send', { kind: SpanKind.CLIENT }, (span) => {
      span.end()
      return `sent to ${to}`
    }),
})
const charge = task('order.charge', {
  queue: 'payments',
  input: z.object({ to: z.email() }),
  retry: { attempts: 3, base: 1 },
  async run(input, job) {
    if (job.attempt === 1) throw new Error('the provider is away')
    await job.enqueue(mail, input)
  },
})

/** A shop whose requests are spans, as the instrumentation of a framework makes them. */
async function shop(across: 'link' | 'parent') {
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] })
  context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable())
  propagation.setGlobalPropagator(new W3CTraceContextPropagator())
  trace.setGlobalTracerProvider(provider)
  const folder = mkdtempSync(join(tmpdir(), 'offload-tracing-'))
  const queue = offload({
    url: `sqlite:${join(folder, 'jobs.db')}`,
    tasks: [charge, mail],
    observe: [tracing({ across })],
    logger: { debug() {}, info() {}, warn() {}, error() {} },
  })
  const app = Fastify()
  app.addHook('onRequest', (request, reply, done) => {
    const from = propagation.extract(context.active(), request.headers)
    const span = trace
      .getTracer('http')
      .startSpan(`${request.method} ${request.url}`, { kind: SpanKind.SERVER }, from)
    reply.raw.once('finish', () => span.end())
    context.with(trace.setSpan(from, span), done)
  })
  await app.register(offloadFastify, { queue, accept: { '/orders': charge } })
  const url = await app.listen({ port: 0, host: '127.0.0.1' })
  queue.work()
  onTestFinished(async () => {
    await app.close()
    await queue.close()
    rmSync(folder, { recursive: true, force: true })
    exporter.reset()
    trace.disable()
    context.disable()
    propagation.disable()
  })
  return url
}

async function order(url: string): Promise<void> {
  const answer = await fetch(`${url}/orders`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    },
    body: '{"to":"ada@example.com"}',
  })
  expect(answer.status).toBe(202)
  await vi.waitFor(() => expect(spans('settle mails')).toHaveLength(1), { timeout: 10_000 })
}

const spans = (name: string) => exporter.getFinishedSpans().filter((span) => span.name === name)

/** The name of each span below its parent's, as a viewer shows them. */
function tree(parentId: string, depth = 0): string[] {
  return exporter
    .getFinishedSpans()
    .filter((span) => span.parentSpanContext?.spanId === parentId)
    .sort((a, b) => a.name.localeCompare(b.name))
    .flatMap((span) => [`${'  '.repeat(depth)}${span.name}`, ...tree(span.spanContext().spanId, depth + 1)])
}

test('one order is one trace from the client through HTTP and two attempts to its mail, where runs are children', async () => {
  await order(await shop('parent'))
  const all = exporter.getFinishedSpans()
  expect(new Set(all.map((span) => span.spanContext().traceId))).toEqual(
    new Set(['0af7651916cd43dd8448eb211c80319c']),
  )
  expect(tree('b7ad6b7169203331')).toEqual([
    'POST /orders',
    '  create payments',
    '    process payments',
    '      settle payments',
    '    process payments',
    '      create mails',
    '        process mails',
    '          settle mails',
    '          SMTP send',
    '        send mails',
    '        wait mails',
    '      settle payments',
    '    send payments',
    '    wait payments',
  ])
})

test('with links each run is a trace of its own, which leads back to the order step by step', async () => {
  await order(await shop('link'))
  const [smtp] = spans('SMTP send')
  const [processMail] = spans('process mails')
  expect(smtp?.parentSpanContext?.spanId).toBe(processMail?.spanContext().spanId)
  const [createMail] = spans('create mails')
  expect(processMail?.links[0]?.context.spanId).toBe(createMail?.spanContext().spanId)
  const second = spans('process payments').find(({ attributes }) => attributes['offload.attempt'] === 2)
  expect(createMail?.parentSpanContext?.spanId).toBe(second?.spanContext().spanId)
  const [create] = spans('create payments')
  expect(second?.links[0]?.context.spanId).toBe(create?.spanContext().spanId)
  expect(tree('b7ad6b7169203331')).toEqual([
    'POST /orders',
    '  create payments',
    '    send payments',
    '    wait payments',
  ])
})
