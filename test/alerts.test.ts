import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { Alert, AlertOptions } from '../src/alerts/index.ts'
import { alerts } from '../src/alerts/index.ts'
import { generateSecret, webhooks } from '../src/http/webhooks/index.ts'
import type { AnyTask, Offload } from '../src/index.ts'
import { offload, schedule, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import { receiver } from './webhook-receiver.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offload-alerts-'))
  file = join(folder, 'jobs.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const until = (condition: () => unknown): Promise<void> =>
  vi.waitFor(async () => expect(await condition()).toBeTruthy(), { timeout: 20_000, interval: 20 })

const fragile = task('fragile', {
  input: z.object({ works: z.boolean() }),
  queue: 'mail',
  retry: { attempts: 1 },
  run({ works }) {
    if (!works && !isMended) throw new Error('no such mailbox')
  },
})
let isMended = false

interface Site {
  readonly queue: Offload
  readonly told: Alert[]
  readonly watch: ReturnType<typeof alerts>
}

function site(options: AlertOptions = {}, more: readonly AnyTask[] = []): Site {
  const told: Alert[] = []
  const watch = alerts({ every: 50, tell: (alert) => void told.push(alert), ...options })
  const tasks = [fragile, watch.task, ...more]
  const queue = offload({ url: `sqlite:${file}`, tasks, logger: silentLogger, presence: 100 })
  return { queue, told, watch }
}

test('a dead letter raises one alert however many processes watch, and its redrive clears it', async () => {
  isMended = false
  const [a, b] = [site(), site()]
  await using _ = a.queue
  await using __ = b.queue
  a.watch.start(a.queue)
  b.watch.start(b.queue)
  a.queue.work({ queues: ['mail'] })
  await a.queue.enqueue(fragile, { works: false })
  const told = (): Alert[] => [...a.told, ...b.told]
  await until(() => told().length > 0)
  expect(told()).toMatchObject([{ rule: 'deadLetters', subject: 'mail', state: 'raised', value: 1 }])
  expect(await b.watch.active()).toMatchObject([{ rule: 'deadLetters', subject: 'mail' }])
  isMended = true
  await a.queue.redrive({ queue: 'mail' })
  await until(() => told().length > 1)
  expect(told()[1]).toMatchObject({ rule: 'deadLetters', state: 'cleared' })
  expect(await a.watch.active()).toEqual([])
  const jobs = await a.queue.find({ task: 'offload.alert' })
  expect(jobs.jobs).toHaveLength(2)
})

test('an alert that could not be told is tried again', async () => {
  isMended = false
  const tries: number[] = []
  const { queue, watch } = site({
    tell(_, job) {
      tries.push(job.attempt)
      if (job.attempt === 1) throw new Error('the pager is away')
    },
  })
  await using _ = queue
  queue.work({ queues: ['mail'] })
  await queue.enqueue(fragile, { works: false })
  watch.start(queue)
  await until(() => tries.length > 1)
  expect(tries).toEqual([1, 2])
})

test('jobs that nobody serves raise an alert, and a worker that comes clears it', async () => {
  const { queue, told, watch } = site({ unserved: 100 })
  await using _ = queue
  await queue.enqueue(fragile, { works: true })
  watch.start(queue)
  await until(() => told.length > 0)
  expect(told).toMatchObject([{ rule: 'unserved', subject: 'mail', state: 'raised' }])
  queue.work({ queues: ['mail'] })
  await until(() => told.some(({ state }) => state === 'cleared'))
})

test('a schedule that no process ticks raises an alert', async () => {
  const beat = schedule('beat', { task: fragile, input: { works: true }, every: 200 })
  const alone = offload({ url: `sqlite:${file}`, tasks: [fragile], schedules: [beat], logger: silentLogger })
  await alone.ready()
  await alone.close()
  // A worker of other tasks does not tick what it has no task for.
  const told: Alert[] = []
  const watch = alerts({ every: 50, missedSchedule: 300, tell: (alert) => void told.push(alert) })
  await using queue = offload({ url: `sqlite:${file}`, tasks: [watch.task], logger: silentLogger })
  watch.start(queue)
  await until(() => told.length > 0)
  expect(told).toMatchObject([{ rule: 'missedSchedule', subject: 'beat', state: 'raised' }])
})

test('a webhook carries the alert as the result of its job', async () => {
  isMended = false
  const { url, requests } = await receiver()
  const hooks = webhooks({
    secrets: [generateSecret()],
    endpoints: { ops: { url } },
    allow: (address) => address === '127.0.0.1',
  })
  const { queue, watch } = site({ onDone: hooks.to('ops') }, [hooks.task])
  await using _ = queue
  queue.work({ queues: ['mail', 'webhooks'] })
  await queue.enqueue(fragile, { works: false })
  watch.start(queue)
  await until(() => requests.length > 0)
  expect(JSON.parse(requests[0]?.body ?? '')).toMatchObject({
    type: 'job.done',
    data: { task: 'offload.alert', result: { rule: 'deadLetters', subject: 'mail', state: 'raised' } },
  })
})

test('without a ledger, and before its task is given to a queue, alerts say what is missing', async () => {
  await expect(alerts().active()).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
})
