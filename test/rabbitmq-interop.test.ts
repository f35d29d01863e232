import { execFile, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'
import { connect } from 'amqplib'
import { describe, expect, onTestFinished, test } from 'vitest'
import { openQueue, receipt } from '../examples/rabbitmq-python/shop.ts'
import { findPika } from '../scripts/servers/programs.ts'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { until } from '../scripts/servers/until.ts'
import { defaultRetention } from '../src/backend.ts'
import { openRabbit } from '../src/backends/rabbitmq/index.ts'
import { systemClock } from '../src/clock.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const run = promisify(execFile)
const orders = join(import.meta.dirname, '../examples/rabbitmq-python/orders.py')
const TRACE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01'

/** What the example prints of a job. */
interface Followed {
  readonly id: string
}

const rabbit = await needs('rabbitmq', startRabbit)
const pika = await needs('python3 with pika', async () => {
  const path = findPika()
  return path === undefined ? undefined : { path, stop: async () => {} }
})

const env = { ...process.env, AMQP_URL: `${rabbit?.url}/%2F`, PYTHONPATH: pika?.path }

const python = (...words: readonly string[]): Promise<{ stdout: string }> =>
  run('python3', [orders, ...words], { env })

/** Publishes from Python. Answers the trace context that it was published with. */
async function place(order: string): Promise<string> {
  const { stdout } = await python('place', order)
  const { placed, traceparent } = JSON.parse(stdout)
  expect(placed).toBe(order)
  return traceparent
}

/** Lines of Python, as they are printed, until the test has ended. */
async function follow(): Promise<AsyncIterator<string>> {
  const child = spawn('python3', [orders, 'follow'], { env, stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill())
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
  expect((await lines.next()).value).toBe('{"following": "shop.audit"}')
  return lines
}

describe.skipIf(rabbit === undefined || pika === undefined)('a program in Python on the same server', () => {
  test('publishes plain JSON to its own exchange, which is a job here, with its trace context', async () => {
    await using queue = openQueue(rabbit?.url ?? '', 'memory:')
    expect((await python('place')).stdout).toBe('')
    await expect(place('41')).rejects.toThrow('start shop.ts first')
    const worker = queue.work()
    let trace = ''
    await until('a queue that is bound', async () => {
      trace = await place('42')
      return true
    })
    expect(await queue.result('order-42', { timeout: '10s' })).toEqual({ sent: '42' })
    expect(await queue.get('order-42')).toMatchObject({
      task: 'order.receipt',
      queue: 'receipts',
      state: 'done',
      payload: { orderId: '42', to: 'ada@example.com' },
      trace: { traceparent: trace },
    })
    await worker.stop()
  })

  test('publishes an order twice, which runs once', async () => {
    await using queue = openQueue(rabbit?.url ?? '', 'memory:')
    const worker = queue.work()
    await until('a queue that is bound', async () => (await place('43')) !== '')
    await place('43')
    await place('44')
    for (const order of ['43', '44']) await queue.result(`order-${order}`, { timeout: '10s' })
    expect((await queue.find({ task: receipt.name })).jobs.map(({ id, attempt }) => [id, attempt])).toEqual([
      ['order-44', 1],
      ['order-43', 1],
    ])
    await worker.stop()
  })

  test('reads the jobs that are published here, with their trace context', async () => {
    await using queue = openQueue(rabbit?.url ?? '', 'memory:')
    const worker = queue.work()
    await until('a queue that is bound', async () => (await place('45')) !== '')
    const lines = await follow()
    const input = { orderId: 'a-17 é', to: 'bob@example.com' }
    const { id } = await queue.enqueue(receipt, input, { priority: 7, trace: { traceparent: TRACE } })
    const view = await queue.get(id)
    let job: Followed
    do job = JSON.parse((await lines.next()).value)
    while (job.id !== id)
    expect(job).toEqual({
      id,
      task: 'order.receipt',
      priority: 7,
      acceptedAt: view?.createdAt,
      traceparent: TRACE,
      input,
    })
    await worker.stop()
  })
})

describe.skipIf(rabbit === undefined)("a stranger's message", () => {
  test('is a stranger’s after it was given back, whatever its content type: the ledger is told of it', async () => {
    const url = rabbit?.url ?? ''
    const options = {
      clock: systemClock,
      logger: silentLogger,
      retention: defaultRetention,
      timeoutMs: 5000,
    }
    const { broker, close } = await openRabbit(`${url.replace('amqp://', '')}?prefix=given`, false, options)
    onTestFinished(close)
    await broker.depth('receipts')
    const connection = await connect(url)
    onTestFinished(() => connection.close())
    const channel = await connection.createConfirmChannel()
    const body = Buffer.from([0x7b, 0xff, 0x7d])
    channel.publish('given.jobs', 'receipts', body, { messageId: 'm1', type: 'order.receipt' })
    await channel.waitForConfirms()
    const want = { limit: 1, leaseMs: 30_000, worker: 'w', signal: AbortSignal.timeout(10_000) }
    const [claim] = await broker.claim('receipts', want)
    expect(claim).toMatchObject({ foreign: true, job: { id: 'm1' } })
    if (claim !== undefined) await broker.settle([{ claim, type: 'release' }])
    expect(await broker.claim('receipts', want)).toMatchObject([
      { foreign: true, job: { id: 'm1', task: 'order.receipt', payload: claim?.job.payload } },
    ])
  })
})
