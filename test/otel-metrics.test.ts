import { AggregationTemporality, MeterProvider, MetricReader } from '@opentelemetry/sdk-metrics'
import { offload, task } from 'offload'
import { meters } from 'offload/otel'
import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import { silentLogger } from '../src/log.ts'
import { instrumentNames, instruments } from '../src/observe/metrics/instruments.ts'
import { otelName } from '../src/observe/otel/meters.ts'

class Reader extends MetricReader {
  constructor() {
    super({ aggregationTemporalitySelector: () => AggregationTemporality.CUMULATIVE })
  }
  protected async onShutdown(): Promise<void> {}
  protected async onForceFlush(): Promise<void> {}
}

const work = task('work', { queue: 'q', input: z.object({}), run: () => {} })

test('a meter of the SDK has every metric, by the names of OpenTelemetry', async () => {
  const reader = new Reader()
  const meter = new MeterProvider({ readers: [reader] }).getMeter('test')
  const queue = offload({ url: 'memory:', tasks: [work], logger: silentLogger, observe: [meters({ meter })] })
  queue.observer?.requested?.({ method: 'GET', route: '/jobs/{id}', status: 200, ms: 3 })
  queue.work({ concurrency: 4 })
  await (await queue.enqueue(work, {})).result()

  const collect = async () => {
    const { resourceMetrics, errors } = await reader.collect()
    expect(errors).toEqual([])
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics)
    return new Map(all.map(({ descriptor, dataPoints }) => [descriptor.name, { descriptor, dataPoints }]))
  }
  await vi.waitFor(
    async () => {
      const points = (await collect()).get('offload.attempts')?.dataPoints
      expect(points?.filter(({ value }) => value !== 0)).toMatchObject([
        { value: 1, attributes: { queue: 'q', task: 'work', outcome: 'done' } },
      ])
    },
    { timeout: 10_000, interval: 200 },
  )
  const found = await collect()
  const recurring = instrumentNames.filter((name) => !/troubles|reconnects/.test(name))
  expect(recurring.map(otelName).filter((name) => !found.has(name))).toEqual([])
  expect(found.get('offload.up')?.dataPoints[0]?.value).toBe(1)
  expect(found.get('offload.worker.slots')?.dataPoints[0]?.value).toBe(4)
  const wait = found.get('offload.job.wait')
  expect(wait?.descriptor).toMatchObject({ unit: 's' })
  expect(wait?.dataPoints[0]?.value).toMatchObject({
    count: 1,
    buckets: { boundaries: instruments.offload_job_wait_seconds.bounds },
  })
  expect(found.get('offload.http.request')?.dataPoints[0]).toMatchObject({
    attributes: { method: 'GET', route: '/jobs/{id}', status: '200' },
    value: { count: 1, sum: 0.003 },
  })

  await queue.close()
  // A queue that is closed is asked no more: its backend would be away.
  expect((await collect()).get('offload.up')?.dataPoints[0]?.value).not.toBe(0)
})
