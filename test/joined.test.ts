import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { MessageBroker, Offload } from '../src/index.ts'
import { offload, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'
import { LeastPowerServer } from '../src/testing/index.ts'

const folder = mkdtempSync(join(tmpdir(), 'offload-joined-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let files = 0

function through(server: LeastPowerServer): MessageBroker {
  return {
    async open() {
      const broker = server.connect()
      return { broker, close: () => broker.close() }
    },
  }
}

/** Two hosts on one message server and one ledger; `ran` counts per job, across both. */
function twoHosts(server: LeastPowerServer): {
  hosts: [Offload, Offload]
  work: ReturnType<typeof makeTask>
  ran: Map<number, number>
} {
  const ran = new Map<number, number>()
  const work = makeTask(ran)
  const ledger = `sqlite:${join(folder, `${++files}.db`)}`
  const host = (): Offload => offload({ url: through(server), ledger, tasks: [work], logger: silentLogger })
  return { hosts: [host(), host()], work, ran }
}

function makeTask(ran: Map<number, number>) {
  return task('count', {
    input: z.object({ n: z.number(), fail: z.boolean().optional() }),
    retry: { base: 20 },
    run({ n, fail }, job) {
      ran.set(n, (ran.get(n) ?? 0) + 1)
      if (fail === true && job.attempt === 1) throw new Error('the first attempt fails')
      return n
    },
  })
}

test('two hosts run every job once while the message server drops, repeats, loses and goes down', async () => {
  const server = new LeastPowerServer(7)
  const { hosts, work, ran } = twoHosts(server)
  const workers = hosts.map((host) => host.work({ concurrency: 5, lease: '2s' }))
  const handles: { result: (options: { timeout: '20s' }) => Promise<number> }[] = []
  for (let n = 0; n < 200; n++) {
    handles.push(await (hosts[n % 2] as Offload).enqueue(work, { n }))
    if (n % 40 === 10) server.dropConnections()
    if (n === 60) server.down = true
    if (n === 100) server.down = false
    if (n === 150) server.loseAll()
  }
  const results = await Promise.all(handles.map((handle) => handle.result({ timeout: '20s' })))
  expect(results).toEqual(Array.from({ length: 200 }, (_, n) => n))
  expect([...ran.values()].every((times) => times === 1)).toBe(true)
  await Promise.all(workers.map((worker) => worker.stop()))
  await Promise.all(hosts.map((host) => host.close()))
})

test('delay, retry, priority, key order and dedup come from the ledger when the broker has none of them', async () => {
  const server = new LeastPowerServer(3)
  const { hosts, work } = twoHosts(server)
  const [one, two] = hosts
  const delayed = await one.enqueue(work, { n: 1 }, { delay: 300 })
  expect((await two.get(delayed.id))?.state).toBe('scheduled')
  expect((await one.enqueue(work, { n: 2 }, { id: 'once' })).duplicate).toBe(false)
  expect((await two.enqueue(work, { n: 2 }, { id: 'once' })).duplicate).toBe(true)
  const failing = await one.enqueue(work, { n: 3, fail: true })
  const worker = two.work({ concurrency: 2 })
  expect(await delayed.result({ timeout: '10s' })).toBe(1)
  expect(await failing.result({ timeout: '10s' })).toBe(3)
  expect((await one.get(failing.id))?.attempt).toBe(2)
  await worker.stop()
  await Promise.all(hosts.map((host) => host.close()))
})

test('a job is accepted while the message server is down and runs when it is back', async () => {
  const server = new LeastPowerServer(5)
  server.down = true
  const { hosts, work } = twoHosts(server)
  const handle = await hosts[0].enqueue(work, { n: 1 })
  const worker = hosts[1].work()
  await expect(handle.result({ timeout: 300 })).rejects.toMatchObject({ code: 'RESULT_TIMEOUT' })
  expect(worker.health().state).toBe('degraded')
  server.down = false
  expect(await handle.result({ timeout: '10s' })).toBe(1)
  await Promise.all(hosts.map((host) => host.close()))
})

test('a worker that waits is well again as soon as the message server is, before any job comes', async () => {
  const server = new LeastPowerServer(9)
  const { hosts } = twoHosts(server)
  const worker = hosts[0].work()
  await vi.waitFor(() => expect(worker.health().state).toBe('running'))
  server.down = true
  await vi.waitFor(() => expect(worker.health().state).toBe('degraded'), { timeout: 10_000 })
  server.down = false
  await vi.waitFor(() => expect(worker.health().state).toBe('running'), { timeout: 10_000 })
  await Promise.all(hosts.map((host) => host.close()))
})

test('jobs are accepted while the message server takes no messages, and what is there runs', async () => {
  const server = new LeastPowerServer(11)
  const { hosts, work } = twoHosts(server)
  const first = await hosts[0].enqueue(work, { n: 1 })
  await vi.waitFor(() => expect(server.count('default')).toBe(1))
  server.blocked = true
  const second = await hosts[0].enqueue(work, { n: 2 })
  hosts[1].work()
  expect(await first.result({ timeout: '10s' })).toBe(1)
  server.blocked = false
  expect(await second.result({ timeout: '10s' })).toBe(2)
  await Promise.all(hosts.map((host) => host.close()))
})

test('a message broker needs its ledger named, or a plain no', async () => {
  const server = new LeastPowerServer()
  const silent = offload({ url: through(server), tasks: [] })
  await expect(silent.ready()).rejects.toMatchObject({ code: 'LEDGER_REQUIRED' })
  const warned: string[] = []
  const logger = { ...silentLogger, warn: (_: object, message: string) => void warned.push(message) }
  const none = offload({ url: through(server), ledger: 'none', tasks: [], logger })
  await none.ready()
  expect(warned.join()).toContain('gives up status, results, progress, cancel')
  await expect(none.get('x')).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
  const limits = { waitingBytes: 1_000_000 }
  const limited = offload({ url: through(server), ledger: 'none', tasks: [], logger, limits })
  await expect(limited.ready()).rejects.toMatchObject({ code: 'CAPABILITY_MISSING' })
  for (const queue of [none, silent, limited]) await queue.close()
})
