import type { ServerUnaryCall, ServerWritableStream, ServiceError, sendUnaryData } from '@grpc/grpc-js'
import { BackendError, CapabilityError, OffloadError } from '../../job/errors.ts'
import type { ScaleAnswer } from '../scale/answer.ts'
import type { Scaler, Words } from '../scale/scaler.ts'
import type { GetMetricsRequest, ScaledObjectRef } from './interface.ts'
import { externalScaler } from './interface.ts'

export interface KedaOptions {
  /** 0 for any that is free. */
  readonly port: number
  /** @default '127.0.0.1' */
  readonly host?: string
}

export interface KedaServer {
  /** The one that it listens on. */
  readonly port: number
  /** Ends the calls that wait, too. */
  close(): void
}

const METRIC = 'offload-workers'
/** Metadata that is for KEDA itself. */
const KEDAS_OWN = ['scalerAddress', 'enableTLS', 'unsafeSsl']

/**
 * Serves the scaler as an external scaler of KEDA, over gRPC without TLS: target 1, so that one replica comes for each worker
 * wanted. @throws CAPABILITY_MISSING the packages are not installed; OPTION_INVALID it cannot listen there
 */
export async function kedaServer(
  scaler: Scaler,
  { port, host = '127.0.0.1' }: KedaOptions,
): Promise<KedaServer> {
  const { Server, ServerCredentials, status, definition } = await library()
  const service = definition['externalscaler.ExternalScaler']
  if (service === undefined) throw new TypeError('the interface has no service')
  const server = new Server()
  const failed = (error: unknown): Partial<ServiceError> => ({
    code:
      error instanceof BackendError
        ? status.UNAVAILABLE
        : error instanceof OffloadError && error.code === 'OPTION_INVALID'
          ? status.INVALID_ARGUMENT
          : status.INTERNAL,
    details: error instanceof Error ? error.message : String(error),
  })
  const unary =
    <Request, Response>(answer: (request: Request) => Promise<Response>) =>
    ({ request }: ServerUnaryCall<Request, Response>, done: sendUnaryData<Response>): void => {
      answer(request).then(
        (response) => done(null, response),
        (error: unknown) => done(failed(error)),
      )
    }
  const wanted = (ref: ScaledObjectRef): Promise<ScaleAnswer> => scaler.answer(wordsOf(ref))
  server.addService(service as Parameters<typeof server.addService>[0], {
    IsActive: unary(async (ref: ScaledObjectRef) => ({ result: (await wanted(ref)).active })),
    GetMetricSpec: unary(async (ref: ScaledObjectRef) => {
      await wanted(ref)
      return { metricSpecs: [{ metricName: METRIC, targetSize: 1, targetSizeFloat: 1 }] }
    }),
    GetMetrics: unary(async ({ scaledObjectRef, metricName }: GetMetricsRequest) => {
      if (metricName !== METRIC)
        throw new OffloadError(
          'OPTION_INVALID',
          `there is no metric ${JSON.stringify(metricName)}: it is ${METRIC}`,
        )
      const { desired } = await wanted(scaledObjectRef ?? NOBODY)
      return { metricValues: [{ metricName: METRIC, metricValue: desired, metricValueFloat: desired }] }
    }),
    StreamIsActive: (call: ServerWritableStream<ScaledObjectRef, { result: boolean }>) => {
      pushActive(scaler, wordsOf(call.request), call).catch((error: unknown) =>
        call.emit('error', failed(error)),
      )
    },
  })
  const bound = await new Promise<number>((resolve, reject) => {
    server.bindAsync(addressOf(host, port), ServerCredentials.createInsecure(), (error, at) => {
      if (error === null) resolve(at)
      else
        reject(
          new OffloadError('OPTION_INVALID', `cannot listen on ${host}:${port}: ${error.message}`, {
            cause: error,
          }),
        )
    })
  })
  return { port: bound, close: () => server.forceShutdown() }
}

const NOBODY: ScaledObjectRef = { name: '', namespace: '', scalerMetadata: {} }

/** Now, and each time that it changes, until the caller is gone. */
async function pushActive(
  scaler: Scaler,
  words: Words,
  call: ServerWritableStream<ScaledObjectRef, { result: boolean }>,
): Promise<void> {
  let last: boolean | undefined
  const push = ({ active }: ScaleAnswer): void => {
    if (active === last || call.cancelled) return
    last = active
    call.write({ result: active })
  }
  const stop = scaler.on(push, words)
  call.once('cancelled', stop)
  call.once('close', stop)
  try {
    push(await scaler.answer(words))
  } catch (error) {
    stop()
    throw error
  }
}

function wordsOf({ scalerMetadata }: ScaledObjectRef): Words {
  return Object.entries(scalerMetadata).filter(([name]) => !KEDAS_OWN.includes(name))
}

const addressOf = (host: string, port: number): string =>
  host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`

async function library() {
  try {
    const [grpc, loader] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')])
    const definition = loader.fromJSON(externalScaler as Parameters<typeof loader.fromJSON>[0], {
      keepCase: true,
      longs: Number,
      defaults: true,
    })
    return { ...grpc, definition }
  } catch (cause) {
    throw new CapabilityError(
      'CAPABILITY_MISSING',
      'gRPC needs the packages @grpc/grpc-js and @grpc/proto-loader: npm install @grpc/grpc-js@1 @grpc/proto-loader@0.8',
      { cause },
    )
  }
}
