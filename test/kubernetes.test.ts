import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { scaleRoutes, scaler } from '../src/autoscale/index.ts'
import type { Call } from '../src/cli/call.ts'
import { readCall } from '../src/cli/call.ts'
import { commands } from '../src/cli/commands/index.ts'
import { BEYOND_MS } from '../src/cli/pool.ts'
import { addressOf } from '../src/cli/probes.ts'
import { Terminal } from '../src/cli/terminal.ts'
import { toMs } from '../src/duration.ts'

const container = z.object({
  command: z.array(z.string()),
  args: z.array(z.string()),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number() })).default([]),
  livenessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) }).optional(),
  readinessProbe: z.object({ httpGet: z.object({ path: z.string(), port: z.string() }) }).optional(),
})

const manifest = z.object({
  apiVersion: z.string(),
  kind: z.string(),
  metadata: z.object({ name: z.string() }),
  spec: z.record(z.string(), z.unknown()).default({}),
})

const deployment = z.object({
  template: z.object({
    spec: z.object({ terminationGracePeriodSeconds: z.number(), containers: z.array(container).length(1) }),
  }),
})

const scaledObject = z.object({
  scaleTargetRef: z.object({ name: z.string() }),
  triggers: z.array(z.object({ type: z.string(), metadata: z.record(z.string(), z.string()) })).length(1),
})

/** The documents of a file; fails on what YAML does not take, and on a key that is there twice. */
function read(file: string): z.infer<typeof manifest>[] {
  const text = readFileSync(join(import.meta.dirname, '../examples/kubernetes', file), 'utf8')
  return parseAllDocuments(text).map((document) => {
    if ('errors' in document && document.errors.length > 0) throw document.errors[0]
    return manifest.parse('toJS' in document ? document.toJS() : document)
  })
}

function specOf(file: string, kind: string): unknown {
  const found = read(file).find((one) => one.kind === kind)
  if (found === undefined) throw new Error(`${file} has no ${kind}`)
  return found.spec
}

/** What the container of a deployment runs, read as the program reads it. */
function programOf(file: string) {
  const { terminationGracePeriodSeconds, containers } = deployment.parse(specOf(file, 'Deployment')).template
    .spec
  const [one] = containers
  if (one === undefined) throw new Error('no container')
  return { ...one, call: callOf(one.args), graceMs: terminationGracePeriodSeconds * 1000 }
}

function callOf([name = '', ...rest]: readonly string[]): Call {
  const command = commands.find((each) => each.name === name)
  if (command === undefined) throw new Error(`the program has no command ${name}`)
  return readCall(command, rest, new Terminal(process))
}

const scalerPorts = new Map(
  programOf('scaler.yaml').ports.map(({ name, containerPort }) => [name, containerPort]),
)

/** The answer of the scaler to a path. */
async function asked(path: string): Promise<Response | undefined> {
  const depth = { ready: 3, running: 0, scheduled: 0, dead: 0, oldestAgeMs: 9, waitingBytes: 0, totals: null }
  const source = {
    depth: async (queue: string) => ({ ...depth, queue, paused: false, exact: true }),
    queues: async () => [],
  }
  const answers = scaler(source)
  try {
    return await scaleRoutes(answers)(new Request(`http://scaler${path}`))
  } finally {
    answers.close()
  }
}

test('a worker has longer to end than its handlers have, and its probes ask where it answers them', () => {
  const { call, graceMs, ports, livenessProbe, readinessProbe } = programOf('worker.yaml')
  expect(graceMs).toBeGreaterThan(toMs(call.duration('timeout') ?? '20s', 'timeout') + BEYOND_MS)
  expect(addressOf(call.text('health'))).toEqual({ host: '0.0.0.0', port: ports[0]?.containerPort })
  for (const [probe, path] of [
    [livenessProbe, '/livez'],
    [readinessProbe, '/readyz'],
  ] as const)
    expect(probe?.httpGet).toEqual({ path, port: ports[0]?.name })
})

test('the scaler listens on the ports that its container and its service name, and probes ask for paths that it has', async () => {
  const { call, livenessProbe, readinessProbe } = programOf('scaler.yaml')
  expect([call.number('port'), call.number('grpc-port')]).toEqual([
    scalerPorts.get('http'),
    scalerPorts.get('grpc'),
  ])
  expect(call.text('host')).toBe('0.0.0.0')
  expect(specOf('scaler.yaml', 'Service')).toMatchObject({
    ports: [...scalerPorts].map(([name, port]) => ({ name, port, targetPort: name })),
  })
  for (const probe of [livenessProbe, readinessProbe]) {
    expect(probe?.httpGet.port).toBe('http')
    expect(await asked(probe?.httpGet.path ?? '')).toMatchObject({ status: 200 })
  }
})

test("KEDA's metrics-api asks the scaler's port for a path it has, and takes a field that is a number", async () => {
  const { scaleTargetRef, triggers } = scaledObject.parse(specOf('keda-metrics-api.yaml', 'ScaledObject'))
  expect(scaleTargetRef.name).toBe(read('worker.yaml')[0]?.metadata.name)
  const [trigger] = triggers
  expect(trigger).toMatchObject({ type: 'metrics-api', metadata: { targetValue: '1' } })
  const url = new URL(trigger?.metadata.url ?? '')
  expect([url.hostname, Number(url.port)]).toEqual(['offload-scaler.default.svc', scalerPorts.get('http')])
  const response = await asked(url.pathname + url.search)
  expect(await response?.json()).toMatchObject({
    [trigger?.metadata.valueLocation ?? '']: expect.any(Number),
  })
})

test("KEDA's external scaler is on the gRPC port, and its metadata are words that the scaler knows", async () => {
  const { scaleTargetRef, triggers } = scaledObject.parse(specOf('keda-external.yaml', 'ScaledObject'))
  expect(scaleTargetRef.name).toBe(read('worker.yaml')[0]?.metadata.name)
  const { scalerAddress, ...words } = triggers[0]?.metadata ?? {}
  expect(triggers[0]?.type).toBe('external-push')
  expect(scalerAddress).toBe(`offload-scaler.default.svc:${scalerPorts.get('grpc')}`)
  expect(words).toMatchObject({ concurrency: programOf('worker.yaml').call.text('concurrency') })
  expect(await asked(`/scale?${new URLSearchParams(words)}`)).toMatchObject({ status: 200 })
})

test('the HPA acts on a gauge that the scaler exposes where Prometheus is told to look', async () => {
  const { metrics } = z
    .object({
      metrics: z.array(z.object({ external: z.object({ metric: z.object({ name: z.string() }) }) })),
    })
    .parse(specOf('hpa-prometheus.yaml', 'HorizontalPodAutoscaler'))
  const { endpoints } = z
    .object({
      endpoints: z.array(
        z.object({ port: z.string(), path: z.string(), params: z.record(z.string(), z.array(z.string())) }),
      ),
    })
    .parse(specOf('hpa-prometheus.yaml', 'ServiceMonitor'))
  const [endpoint] = endpoints
  expect(scalerPorts.has(endpoint?.port ?? '')).toBe(true)
  const query = Object.entries(endpoint?.params ?? {}).map(([name, [value = '']]): [string, string] => [
    name,
    value,
  ])
  const text = await (await asked(`${endpoint?.path}?${new URLSearchParams(query)}`))?.text()
  expect(text).toContain(`\n${metrics[0]?.external.metric.name}{queues="mail"} `)
})
