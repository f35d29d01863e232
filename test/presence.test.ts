import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import { defaultRetention } from '../src/backend.ts'
import { openSqlite } from '../src/backends/sqlite/index.ts'
import { systemClock } from '../src/clock.ts'
import { offload, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import { presenceKinds } from '../src/presence/beacon.ts'
import { LeastPowerServer } from '../src/testing/least-power-broker.ts'

let folder: string
let file: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offload-presence-'))
  file = join(folder, 'jobs.db')
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const until = (condition: () => Promise<void>): Promise<void> =>
  vi.waitFor(condition, { timeout: 20_000, interval: 20 })

const options = { clock: systemClock, logger: silentLogger, retention: defaultRetention, timeoutMs: 5000 }

test('whoever looks sees what each worker runs, and no more of it once it has stopped', async () => {
  let free: (() => void) | undefined
  const held = task('held', { input: z.object({}), run: () => new Promise<void>((end) => (free = end)) })
  await using queue = offload({ url: `sqlite:${file}`, tasks: [held], presence: 100 })
  await using looker = offload({ url: `sqlite:${file}`, tasks: [] })
  const worker = queue.work({ concurrency: 3 })
  const { id } = await queue.enqueue(held, {})
  await until(async () => expect((await looker.workers())[0]?.attempts).toHaveLength(1))
  const [seen] = await looker.workers()
  expect(seen).toMatchObject({
    state: 'running',
    slots: 3,
    running: 1,
    pid: process.pid,
    queues: ['default'],
  })
  expect(seen?.attempts).toMatchObject([{ jobId: id, task: 'held', attempt: 1 }])
  expect(seen?.attempts[0]?.leaseUntil).toBeGreaterThan(seen?.seenAt ?? Number.NaN)
  free?.()
  await until(async () =>
    expect((await looker.workers())[0]).toMatchObject({ running: 0, ended: { done: 1 } }),
  )
  expect((await looker.workers())[0]?.run?.count).toBe(1)
  await worker.stop()
  expect(await looker.workers()).toEqual([])
})

test('a worker that was killed is seen no more, and another one forgets it', async () => {
  const child = spawn(process.execPath, [join(import.meta.dirname, 'fixtures/present.ts'), file], {
    stdio: 'inherit',
  })
  await using looker = offload({ url: `sqlite:${file}`, tasks: [] })
  await until(async () => expect(await looker.workers()).toMatchObject([{ pid: child.pid, running: 1 }]))
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until(async () => expect(await looker.workers()).toEqual([]))
  const other = task('other', { input: z.object({}), queue: 'other', run: () => {} })
  await using queue = offload({ url: `sqlite:${file}`, tasks: [other], presence: 100 })
  queue.work()
  const backend = await openSqlite(file, options)
  await until(async () => {
    const kept = await backend.documents?.list({ kind: presenceKinds.workers })
    expect(kept?.map(({ value }) => JSON.parse(value).pid)).toEqual([process.pid])
  })
  await backend.close()
})

test('a worker that the others took for gone comes back at its next beat', async () => {
  const idle = task('idle', { input: z.object({}), run: () => {} })
  await using queue = offload({ url: `sqlite:${file}`, tasks: [idle], presence: 100 })
  queue.work()
  await until(async () => expect(await queue.workers()).toHaveLength(1))
  const [before] = await queue.workers()
  const backend = await openSqlite(file, options)
  await until(async () => {
    const [found] = (await backend.documents?.list({ kind: presenceKinds.workers })) ?? []
    const change = {
      kind: presenceKinds.workers,
      name: found?.name ?? '',
      expected: found?.version ?? 0,
      value: undefined,
    }
    expect(await backend.documents?.write([change])).toEqual([true])
  })
  await until(async () => expect((await queue.workers())[0]?.id).toBe(before?.id))
  await backend.close()
})

test('what is no worker in the store is left out', async () => {
  const backend = await openSqlite(file, options)
  const dueAt = Date.now() + 60_000
  const values = ['nonsense', '{}', '[]', 'null', '{"id":"other","queues":[],"attempts":[]}']
  await backend.documents?.write(
    values.map((value, nth) => ({ kind: presenceKinds.workers, name: `w${nth}`, expected: 0, value, dueAt })),
  )
  await backend.close()
  await using queue = offload({ url: `sqlite:${file}`, tasks: [] })
  expect(await queue.workers()).toEqual([])
})

test('without a ledger nobody remembers workers, and that is said', async () => {
  const broker = new LeastPowerServer().connect()
  const url = { open: async () => ({ broker, close: () => broker.close() }) }
  await using queue = offload({ url, ledger: 'none', tasks: [], logger: silentLogger })
  await expect(queue.workers()).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
})

test('what an autoscaler decides is seen from other processes, the last fifty, until it takes leave', async () => {
  await using queue = offload({ url: `sqlite:${file}`, tasks: [], presence: 100 })
  await using looker = offload({ url: `sqlite:${file}`, tasks: [] })
  const log = queue.tellScaling({ min: 1, max: 8, targetAgeMs: 5000, queues: ['mail'] })
  await until(async () =>
    expect(await looker.scalers()).toMatchObject([{ workers: 1, max: 8, decisions: [] }]),
  )
  for (let nth = 1; nth <= 60; nth++)
    log?.note({ at: nth, from: nth, to: nth + 1, reason: 'age', text: `${nth}` })
  await until(async () => expect(await looker.scalers()).toMatchObject([{ workers: 61, queues: ['mail'] }]))
  const [seen] = await looker.scalers()
  expect(seen?.decisions.map(({ at }) => at)).toEqual(Array.from({ length: 50 }, (_, nth) => nth + 11))
  expect(await looker.workers()).toEqual([])
  await log?.end()
  expect(await looker.scalers()).toEqual([])
})
