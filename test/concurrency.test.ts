import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { afterAll, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { AnyTask, Offload, Task } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import type { Health } from '../src/worker/status.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-concurrency-'))
const opened: Offload[] = []
let files = 0
afterAll(async () => {
  await Promise.all(opened.map((queue) => queue.close()))
  rmSync(folder, { recursive: true, force: true })
})

function open(tasks: AnyTask[]): Offload {
  const queue = offload({ url: `sqlite:${join(folder, `${++files}.db`)}`, tasks, logger: silentLogger })
  opened.push(queue)
  return queue
}

const input = z.object({ n: z.number() })

async function enqueue(queue: Offload, what: Task<{ n: number }, unknown>, count: number): Promise<void> {
  const items = Array.from({ length: count }, (_, n) => ({ input: { n } }))
  for (const { status } of await queue.enqueueMany(what, items)) expect(status).toBe('accepted')
}

/** Looks again and again; what was seen until then. */
async function watch(health: () => Health, isOver: (health: Health) => boolean): Promise<Health[]> {
  const seen: Health[] = []
  await vi.waitFor(
    () => {
      seen.push(health())
      expect(isOver(health())).toBe(true)
    },
    { timeout: 100_000, interval: 20 },
  )
  return seen
}

const most = (seen: readonly Health[]): number => Math.max(...seen.map(({ slots }) => slots))

test('slots grow while handlers wait for others and all are busy, and so many run at once', async () => {
  let [running, mostRunning] = [0, 0]
  const asks = task('asks', {
    input,
    async run() {
      running++
      mostRunning = Math.max(mostRunning, running)
      await wait(60)
      running--
    },
  })
  const queue = open([asks])
  await enqueue(queue, asks, 6000)
  const worker = queue.work({ concurrency: { min: 2, max: 40 } })
  expect(worker.health()).toMatchObject({ slots: 2, why: { reason: 'steady' } })
  const seen = await watch(worker.health.bind(worker), ({ slots }) => slots >= 12)
  expect(seen.some(({ why }) => why?.reason === 'full')).toBe(true)
  await vi.waitFor(() => expect(mostRunning).toBeGreaterThanOrEqual(12), { timeout: 20_000 })
  await worker.stop({ timeout: '5s' })
}, 120_000)

test('a handler that holds the event loop gets no more slots, and is told why', async () => {
  let done = 0
  const computes = task('computes', {
    input,
    async run() {
      await wait(1)
      for (const begun = performance.now(); performance.now() - begun < 180; );
      done++
    },
  })
  const queue = open([computes])
  await enqueue(queue, computes, 500)
  const worker = queue.work({ concurrency: { min: 2, max: 40 } })
  let isTold = false
  const seen = await watch(worker.health.bind(worker), ({ why }) => {
    isTold ||= why?.reason === 'loop' || why?.reason === 'cpu'
    return isTold && done >= 50
  })
  expect(most(seen)).toBe(2)
  await worker.stop({ timeout: '5s' })
}, 120_000)

test('where more slots only slow the jobs down they are taken back, and the bottleneck is told', async () => {
  const line: (() => void)[] = []
  let free = 4
  const served = async (): Promise<void> => {
    if (free === 0) await new Promise<void>((resolve) => line.push(resolve))
    else free--
    await wait(20)
    const next = line.shift()
    if (next === undefined) free++
    else next()
  }
  const asks = task('asks', { input, run: served })
  const queue = open([asks])
  await enqueue(queue, asks, 15_000)
  const worker = queue.work({ concurrency: { min: 4, max: 60 } })
  const seen = await watch(worker.health.bind(worker), ({ why }) => why?.reason === 'downstream')
  expect(most(seen)).toBeLessThan(20)
  expect(worker.health().slots).toBeLessThan(most(seen))
  expect(worker.health().why?.text).toMatch(/bottleneck/)
  await worker.stop({ timeout: '5s' })
}, 120_000)

test('a number stays as it is, and a range that is none is refused', async () => {
  const quick = task('quick', { input, run: () => 1 })
  const queue = open([quick])
  const worker = queue.work({ concurrency: 7 })
  expect(worker.health()).toMatchObject({ slots: 7 })
  expect(worker.health().why).toBeUndefined()
  for (const concurrency of [
    { min: 0, max: 5 },
    { min: 5, max: 1 },
    { min: 1, max: 1.5 },
    { min: 1, max: 1e5 },
  ])
    expect(() => queue.work({ concurrency })).toThrow(/concurrency\.(min|max)/)
  await worker.stop()
})
