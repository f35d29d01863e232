import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { afterAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { z } from 'zod'
import { startRabbit } from '../scripts/servers/rabbitmq.ts'
import { Feed } from '../src/backends/rabbitmq/feed.ts'
import { silentLogger } from '../src/log.ts'
import { needs } from './servers.ts'

const QUEUES = 30
const WORKERS = 20

const rabbit = await needs('rabbitmq', startRabbit)
const folder = mkdtempSync(join(tmpdir(), 'offload-rabbitmq-connections-'))
afterAll(() => rmSync(folder, { recursive: true }))

let opened = 0
const ledgers = [
  ['beside a ledger', () => `sqlite:${join(folder, `${++opened}.db`)}`],
  ['without a ledger', () => 'none'],
] as const

const url = (): string => `${rabbit?.url}/?prefix=connections-${++opened}`

async function listed(what: string, ...columns: readonly string[]): Promise<string[]> {
  const list = (await rabbit?.ctl(`list_${what}`, ...columns)) ?? ''
  return list.split('\n').filter((line) => line !== '')
}

const connections = (): Promise<string[]> => listed('connections', 'name')

const ran = new Set<string>()
const tasks = Array.from({ length: QUEUES }, (_, nth) =>
  task(`connections.${nth}`, {
    queue: `queue-${nth}`,
    input: z.string(),
    run: (name) => void ran.add(`${name}-${nth}`),
  }),
)

const open = (ledger: string): Offload => offload({ url: url(), ledger, tasks, logger: silentLogger })

/** A job of each queue is run. */
async function runEach(queue: Offload): Promise<void> {
  const name = `run-${++opened}`
  await Promise.all(tasks.map((each) => queue.enqueue(each, name)))
  await vi.waitFor(() => expect(tasks.filter((_, nth) => !ran.has(`${name}-${nth}`))).toEqual([]), {
    timeout: 20_000,
  })
}

if (rabbit !== undefined)
  describe('a process', () => {
    test.each(ledgers)(
      `with ${QUEUES} queues and ${WORKERS} workers has two connections, %s`,
      async (_, ledger) => {
        await using queue = open(ledger())
        for (let nth = 0; nth < WORKERS; nth++) queue.work()
        await runEach(queue)
        expect(await connections()).toHaveLength(2)
        expect(await listed('consumers', 'queue_name')).not.toEqual([])
      },
    )

    test.each(ledgers)('has no connection, channel and consumer once it is closed, %s', async (_, ledger) => {
      const queue = open(ledger())
      const worker = queue.work()
      await runEach(queue)
      await worker.stop()
      await queue.close()
      expect(await connections()).toEqual([])
      expect(await listed('consumers', 'queue_name')).toEqual([])
    })

    test.each(ledgers)(
      'holds no consumer where its workers have stopped, and gives back what came, %s',
      async (_, ledger) => {
        await using queue = open(ledger())
        const worker = queue.work()
        await runEach(queue)
        await worker.stop()
        await vi.waitFor(async () => expect(await listed('consumers', 'queue_name')).toEqual([]), {
          timeout: 10_000,
        })
        const unacked = await listed('queues', 'name', 'messages_unacknowledged')
        expect(unacked.filter((line) => !line.endsWith('\t0'))).toEqual([])
        queue.work()
        await runEach(queue)
      },
    )

    test('that runs a long backlog goes on with the consumers it has', async () => {
      const many = 60_000
      let left = many
      const quick = task('connections.quick', { input: z.number(), run: () => void left-- })
      await using queue = offload({ url: url(), ledger: 'none', tasks: [quick], logger: silentLogger })
      for (let nth = 0; nth < many; nth += 1000)
        await queue.enqueueMany(
          quick,
          Array.from({ length: 1000 }, () => ({ input: nth })),
        )
      const consume = vi.spyOn(Feed.prototype, 'consume')
      onTestFinished(() => consume.mockRestore())
      queue.work({ concurrency: 100 })
      await vi.waitFor(() => expect(left).toBe(0), { timeout: 40_000 })
      expect(consume.mock.calls.length).toBeGreaterThan(0)
      expect(consume.mock.calls.length).toBeLessThan(30)
    })

    test('that has enough to do leaves in the queue what others could run, though more keeps coming', async () => {
      let ran = 0
      let [end, hasEnded] = [(): void => {}, false]
      const ended = new Promise<void>((resolve) => {
        end = resolve
      }).then(() => {
        hasEnded = true
      })
      const long = task('connections.long', {
        queue: 'long',
        input: z.number(),
        run: async (ms) => {
          ran++
          if (ms > 0 && !hasEnded) await Promise.race([ended, sleep(ms)])
        },
      })
      await using queue = offload({ url: url(), ledger: 'none', tasks: [long], logger: silentLogger })
      const quick = Array.from({ length: 5000 }, () => ({ input: 0 }))
      for (let nth = 0; nth < 5000; nth += 1000) await queue.enqueueMany(long, quick.slice(nth, nth + 1000))
      queue.work({ concurrency: 10 })
      await vi.waitFor(() => expect(ran).toBe(5000), { timeout: 20_000 })
      let added = 0
      const more = setInterval(() => void queue.enqueue(long, added++ < 10 ? 300 : 60_000), 50)
      onTestFinished(() => clearInterval(more))
      const left = async (): Promise<void> => expect((await queue.depth('long')).ready).toBeGreaterThan(10)
      await vi.waitFor(left, { timeout: 15_000, interval: 50 })
      clearInterval(more)
      end()
      await vi.waitFor(() => expect(ran).toBe(5000 + added), { timeout: 20_000 })
    })

    test('that opens and closes again and again leaves nothing', async () => {
      const at = url()
      for (let nth = 0; nth < 20; nth++) {
        const queue = offload({ url: at, ledger: 'none', tasks, logger: silentLogger })
        queue.work()
        if (nth % 2 === 0) await queue.ready()
        await queue.close()
      }
      await vi.waitFor(async () => expect(await connections()).toEqual([]), { timeout: 10_000 })
    })

    test('has none where the ledger cannot be opened, however often it is tried', async () => {
      await using queue = offload({
        url: url(),
        ledger: 'redis://127.0.0.1:1',
        tasks,
        logger: silentLogger,
        limits: { timeout: '500ms' },
      })
      const worker = queue.work()
      for (let nth = 0; nth < 5; nth++) {
        const refused = { code: 'BACKEND_UNAVAILABLE' }
        await expect(queue.ready()).rejects.toMatchObject(refused)
      }
      await worker.stop()
      await vi.waitFor(async () => expect(await connections()).toEqual([]), { timeout: 10_000 })
    })

    test.each(ledgers)('ends by itself when it has closed, %s', async (_, ledger) => {
      const fixture = join(import.meta.dirname, 'fixtures/closing.ts')
      const args = ['--conditions=offload-source', fixture, url(), ledger()]
      const { stdout } = await promisify(execFile)(process.execPath, args, { timeout: 20_000 })
      expect(stdout).toBe('ran\nclosed\n')
      expect(await connections()).toEqual([])
    })
  })
