import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { kedaServer } from '../../autoscale/keda/server.ts'
import type { ScaleOptions } from '../../autoscale/scale/ask.ts'
import { scaleRoutes } from '../../autoscale/scale/routes.ts'
import { scaler } from '../../autoscale/scale/scaler.ts'
import { nodeHandler } from '../../http/adapters/node.ts'
import { OffloadError } from '../../job/errors.ts'
import { checkName } from '../../job/id.ts'
import type { Offload } from '../../offload.ts'
import type { AnyTask } from '../../task.ts'
import type { Call } from '../call.ts'
import type { Command } from '../command.ts'
import { loadModule } from '../module.ts'
import { heedSignals } from '../signals.ts'
import { withQueue } from '../store.ts'

const HOST = '127.0.0.1'
const PORT = 4080

export const scale: Command = {
  name: 'scale',
  args: '[module]',
  takes: [0, 1],
  summary: 'answers how many workers are wanted, over HTTP and to KEDA, until a signal',
  options: [
    {
      name: 'queues',
      value: '<a,b>',
      help: 'what the workers serve; the queues of the tasks of the module, or all there are',
      many: true,
    },
    {
      name: 'min',
      value: '<n>',
      help: 'workers at least, 0 for none while nothing is due; 1 unless told otherwise',
    },
    { name: 'max', value: '<n>', help: 'workers at most; 10 unless told otherwise' },
    {
      name: 'concurrency',
      value: '<n>',
      help: 'handlers that one worker runs at once; 10 unless told otherwise',
    },
    {
      name: 'target-age',
      value: '<duration>',
      help: 'how long a job may wait before there are more workers; 5s unless told otherwise',
    },
    { name: 'host', value: '<address>', help: `where it listens; ${HOST} unless told otherwise` },
    { name: 'port', value: '<n>', help: `of HTTP, 0 for any that is free; ${PORT} unless told otherwise` },
    { name: 'grpc-port', value: '<n>', help: "of KEDA's external scaler; not served unless told" },
  ],
  about: [
    'It starts no worker: it measures the queues once a second, and tells what KEDA, an HPA or a script of yours acts on.',
    'HTTP: /scale in JSON, /metrics for Prometheus, /livez, /readyz. Whoever reaches it may ask: it listens on this host alone',
    'unless told otherwise. With --min 0 and a module it also ticks the schedules, for then there may be no worker to do it.',
  ],
  async run(call) {
    const [specifier] = call.args
    const loaded = specifier === undefined ? undefined : await loadModule(specifier, process.cwd())
    const tasks = loaded?.tasks ?? []
    const options = optionsOf(call, tasks)
    const own = call.flag('url') ? undefined : loaded?.queue
    if (own === undefined) return withQueue(call, (queue) => serve(call, queue, options, tasks), tasks)
    try {
      return await serve(call, own, options, tasks)
    } finally {
      await own.close()
    }
  },
}

function optionsOf(call: Call, tasks: readonly AnyTask[]): ScaleOptions {
  const [min, max, concurrency] = [call.number('min'), call.number('max'), call.number('concurrency')]
  const [queues, targetAge] = [call.list('queues'), call.duration('target-age')]
  const names = queues ?? [...new Set(tasks.map(({ queue }) => queue))]
  return {
    ...(names.length === 0 ? {} : { queues: names.map((name) => checkName('queue', name)) }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    ...(concurrency === undefined ? {} : { concurrency }),
    ...(targetAge === undefined ? {} : { targetAge }),
  }
}

async function serve(
  call: Call,
  queue: Offload,
  options: ScaleOptions,
  tasks: readonly AnyTask[],
): Promise<number> {
  const { terminal } = call
  const signals = heedSignals()
  await using cleanup = new AsyncDisposableStack()
  await queue.ready()
  const answers = cleanup.adopt(scaler(queue, options), (one) => one.close())
  const host = call.text('host') ?? HOST
  const port = await listen(scaleRoutes(answers), host, portOf(call, 'port') ?? PORT, cleanup)
  const asked = portOf(call, 'grpc-port')
  const keda =
    asked === undefined
      ? undefined
      : cleanup.adopt(await kedaServer(answers, { host, port: asked }), (server) => server.close())
  if (options.min === 0 && tasks.length > 0) tick(queue, cleanup)
  terminal.data({ event: 'started', pid: process.pid, host, port, grpcPort: keda?.port, ...options })
  terminal.print(
    `answering on http://${host}:${port}/scale${keda === undefined ? '' : `, and KEDA on ${host}:${keda.port}`}`,
  )
  let last: number | undefined
  answers.on(({ desired, reason, text }) => {
    if (desired === last) return
    const from = last
    last = desired
    terminal.data({ event: 'scaled', from, to: desired, reason, text })
    terminal.print(`${desired} wanted${from === undefined ? '' : `, was ${from}`}: ${text} (${reason})`)
  })
  const signal = await signals.first
  terminal.data({ event: 'stopped', signal })
  terminal.print(`${signal}: stopped`)
  return 0
}

/** @throws OPTION_INVALID it cannot listen there */
async function listen(
  handler: ReturnType<typeof scaleRoutes>,
  host: string,
  port: number,
  cleanup: AsyncDisposableStack,
): Promise<number> {
  const server = createServer(nodeHandler(handler))
  server.listen(port, host)
  try {
    await once(server, 'listening')
  } catch (error) {
    const { message } = error as Error
    throw new OffloadError('OPTION_INVALID', `cannot listen on ${host}:${port}: ${message}`, { cause: error })
  }
  cleanup.defer(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

function tick(queue: Offload, cleanup: AsyncDisposableStack): void {
  const ending = new AbortController()
  const ticked = queue.schedules.tick(ending.signal)
  cleanup.defer(() => {
    ending.abort()
    return ticked
  })
}

function portOf(call: Call, option: 'port' | 'grpc-port'): number | undefined {
  const port = call.number(option)
  if (port === undefined || port <= 65_535) return port
  throw new OffloadError('OPTION_INVALID', `--${option} must be at most 65535, not ${port}`)
}
