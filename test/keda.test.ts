import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import type { ChannelCredentials, ClientReadableStream, ServiceError } from '@grpc/grpc-js'
import { credentials, loadPackageDefinition, status } from '@grpc/grpc-js'
import { loadSync } from '@grpc/proto-loader'
import { expect, onTestFinished, test } from 'vitest'
import { kedaServer, scaler } from '../src/autoscale/index.ts'
import type { Offload } from '../src/index.ts'
import { offload } from '../src/index.ts'
import { Desk } from './cli/program.ts'
import { hello } from './fixtures/cli/tasks.ts'

type Answered<Response> = (error: ServiceError | null, response: Response) => void

interface Ref {
  readonly name: string
  readonly namespace: string
  readonly scalerMetadata: Record<string, string>
}

interface Specs {
  readonly metricSpecs: readonly { metricName: string; targetSize: unknown; targetSizeFloat: number }[]
}

interface Metrics {
  readonly metricValues: readonly { metricName: string; metricValue: unknown; metricValueFloat: number }[]
}

/** What KEDA calls, by the interface that KEDA publishes. */
interface Client {
  IsActive(ref: Ref, done: Answered<{ result: boolean }>): void
  StreamIsActive(ref: Ref): ClientReadableStream<{ result: boolean }>
  GetMetricSpec(ref: Ref, done: Answered<Specs>): void
  GetMetrics(request: { scaledObjectRef: Ref; metricName: string }, done: Answered<Metrics>): void
  StreamMetricSpec(ref: Ref): ClientReadableStream<object>
  close(): void
}

function client(port: number): Client {
  const definition = loadSync(join(import.meta.dirname, 'fixtures/keda/externalscaler.proto'))
  const { externalscaler } = loadPackageDefinition(definition) as unknown as {
    externalscaler: { ExternalScaler: new (address: string, credentials: ChannelCredentials) => Client }
  }
  const made = new externalscaler.ExternalScaler(`127.0.0.1:${port}`, credentials.createInsecure())
  onTestFinished(() => made.close())
  return made
}

/** A ScaledObject as KEDA names it: its metadata comes with what is KEDA's own. */
function refOf(metadata: Record<string, string> = {}): Ref {
  return {
    name: 'mail-worker',
    namespace: 'default',
    scalerMetadata: { scalerAddress: 'offload-scaler:4081', ...metadata },
  }
}

function call<Response>(make: (done: Answered<Response>) => void): Promise<Response> {
  return new Promise((resolve, reject) => {
    make((error, response) => (error === null ? resolve(response) : reject(error)))
  })
}

async function served(min = 0): Promise<{ queue: Offload; keda: Client }> {
  const { url } = new Desk()
  const queue = offload({ url, tasks: [hello] })
  const answers = scaler(queue, { min, max: 4, concurrency: 2, queues: ['default'] })
  const server = await kedaServer(answers, { port: 0 })
  onTestFinished(async () => {
    server.close()
    answers.close()
    await queue.close()
  })
  return { queue, keda: client(server.port) }
}

async function untilDesired(keda: Client, ref: Ref, fits: (desired: number) => boolean): Promise<number> {
  for (;;) {
    const request = { scaledObjectRef: ref, metricName: 'offload-workers' }
    const { metricValues } = await call<Metrics>((done) => keda.GetMetrics(request, done))
    const [value] = metricValues
    if (value === undefined) throw new Error('no value')
    expect(Number(value.metricValue)).toBe(value.metricValueFloat)
    if (fits(value.metricValueFloat)) return value.metricValueFloat
    await wait(50)
  }
}

test('the target is one worker a replica, as a float and as the integer that older releases read', async () => {
  const { keda } = await served()
  const { metricSpecs } = await call<Specs>((done) => keda.GetMetricSpec(refOf(), done))
  expect(metricSpecs).toMatchObject([{ metricName: 'offload-workers', targetSizeFloat: 1 }])
  expect(Number(metricSpecs[0]?.targetSize)).toBe(1)
})

test('with nothing to do none is wanted and it is not active; with jobs it is, and wants what they need', async () => {
  const { queue, keda } = await served()
  const isActive = () => call<{ result: boolean }>((done) => keda.IsActive(refOf(), done))
  expect(await isActive()).toEqual({ result: false })
  await untilDesired(keda, refOf(), (desired) => desired === 0)
  await queue.enqueueMany(
    hello,
    Array.from({ length: 50 }, () => ({ input: { name: 'x' } })),
  )
  await untilDesired(keda, refOf(), (desired) => desired > 0)
  expect(await isActive()).toEqual({ result: true })
})

test('a stream tells at once what is, and pushes when the first job comes', async () => {
  const { queue, keda } = await served()
  const stream = keda.StreamIsActive(refOf())
  const told: boolean[] = []
  const pushed = new Promise<void>((resolve) => {
    stream.on('data', ({ result }: { result: boolean }) => {
      told.push(result)
      if (told.length === 1) void queue.enqueue(hello, { name: 'x' })
      if (told.length === 2) resolve()
    })
  })
  stream.on('error', () => {})
  await pushed
  stream.cancel()
  expect(told).toEqual([false, true])
})

test('the metadata of a ScaledObject goes before the options of the scaler', async () => {
  const { queue, keda } = await served()
  await queue.enqueueMany(
    hello,
    Array.from({ length: 50 }, () => ({ input: { name: 'x' } })),
  )
  expect(await untilDesired(keda, refOf({ min: '3', max: '3' }), (desired) => desired > 0)).toBe(3)
  expect(await untilDesired(keda, refOf({ queues: 'mail' }), () => true)).toBe(0)
})

test('what makes no sense is refused with the reason', async () => {
  const { keda } = await served()
  const refusal = (metadata: Record<string, string>) =>
    call<object>((done) => keda.IsActive(refOf(metadata), done)).catch(({ code, details }: ServiceError) => [
      code,
      details,
    ])
  const invalid = status.INVALID_ARGUMENT
  expect(await refusal({ max: 'many' })).toEqual([
    invalid,
    expect.stringContaining('max must be a whole number'),
  ])
  expect(await refusal({ min: '5', max: '2' })).toEqual([invalid, 'min 5 must not be above max 2'])
  expect(await refusal({ targetAge: 'soon' })).toEqual([invalid, expect.stringContaining('targetAge')])
  expect(await refusal({ targtAge: '5s' })).toEqual([
    invalid,
    expect.stringContaining('"targtAge" means nothing here'),
  ])
  const other = call<object>((done) => keda.GetMetrics({ scaledObjectRef: refOf(), metricName: 'cpu' }, done))
  await expect(other).rejects.toMatchObject({
    code: invalid,
    details: expect.stringContaining('offload-workers'),
  })
})

test('the stream that KEDA may do without is unimplemented, which makes it ask', async () => {
  const { keda } = await served()
  const stream = keda.StreamMetricSpec(refOf())
  const code = await new Promise((resolve) =>
    stream.on('error', (error: ServiceError) => resolve(error.code)),
  )
  expect(code).toBe(status.UNIMPLEMENTED)
})

test('before the queues could be measured nothing is wanted and nothing is not: it is unavailable', async () => {
  const source = {
    depth: () => Promise.reject(new Error('no route to the store')),
    queues: () => Promise.reject(new Error('no route to the store')),
  }
  const answers = scaler(source)
  const server = await kedaServer(answers, { port: 0 })
  onTestFinished(() => {
    server.close()
    answers.close()
  })
  const keda = client(server.port)
  const asked = call<object>((done) => keda.IsActive(refOf(), done))
  await expect(asked).rejects.toMatchObject({
    code: status.UNAVAILABLE,
    details: expect.stringContaining('no route to the store'),
  })
})

test('a port that is taken is an error that names it', async () => {
  const answers = scaler({ depth: () => Promise.reject(new Error()), queues: async () => [] })
  const first = await kedaServer(answers, { port: 0 })
  onTestFinished(() => {
    first.close()
    answers.close()
  })
  await expect(kedaServer(answers, { port: first.port })).rejects.toMatchObject({
    code: 'OPTION_INVALID',
    message: expect.stringContaining(`127.0.0.1:${first.port}`),
  })
})
