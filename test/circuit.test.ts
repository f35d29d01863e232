import { expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { Logger } from '../src/index.ts'
import { discard, offload, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'

const until = (condition: () => unknown): Promise<void> =>
  vi.waitFor(async () => expect(await condition()).toBeTruthy(), { timeout: 20_000, interval: 5 })

test('while what the handlers call is away, few attempts are spent, other queues go on, and the rest runs when it is back', async () => {
  let isAway = true
  let ran = 0
  const call = task('call', {
    input: z.object({ n: z.number() }),
    queue: 'calls',
    retry: { attempts: 50, base: 1, max: 5 },
    run() {
      ran++
      if (isAway) throw new Error('the provider is away')
    },
  })
  const other = task('other', { input: z.object({}), queue: 'others', run: () => 'done' })
  const warnings: string[] = []
  const logger: Logger = { ...silentLogger, warn: (_, message) => void warnings.push(message) }
  await using queue = offload({ url: 'memory:', tasks: [call, other], logger, presence: 100 })
  await queue.enqueueMany(
    call,
    Array.from({ length: 200 }, (_, n) => ({ input: { n } })),
  )
  queue.work({ concurrency: 5, circuit: { least: 10, probe: 200 } })
  await until(async () => (await queue.workers())[0]?.slowed.length === 1)
  const handle = await queue.enqueue(other, {})
  expect(await handle.result()).toBe('done')
  await until(async () => (await queue.depth('calls')).running === 0)
  expect((await queue.depth('calls')).dead).toBe(0)
  isAway = false
  await until(
    async () => (await queue.find({ queue: 'calls', state: 'done', limit: 200 })).jobs.length === 200,
  )
  expect(ran).toBeLessThan(300)
  expect(warnings.some((text) => text.includes('queue calls is slowed'))).toBe(true)
  expect(warnings.some((text) => text.includes('at full speed again'))).toBe(true)
  await until(async () => (await queue.workers())[0]?.slowed.length === 0)
})

test('jobs that are discarded on purpose slow nothing', async () => {
  const refused = task('refused', { input: z.object({}), run: () => discard('no such order') })
  await using queue = offload({ url: 'memory:', tasks: [refused], logger: silentLogger })
  await queue.enqueueMany(
    refused,
    Array.from({ length: 50 }, () => ({ input: {} })),
  )
  queue.work({ circuit: { least: 1, probe: '1h' } })
  await until(async () => (await queue.depth()).dead === 50)
})
