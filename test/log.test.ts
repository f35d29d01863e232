import { offload, task } from 'offload'
import { pino } from 'pino'
import { afterEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { BackendOptions } from '../src/backend.ts'
import { openMemory } from '../src/backends/memory/index.ts'
import { defaultLogger } from '../src/log.ts'

const SECRET = 'hunter2'

const pay = task('pay', {
  input: z.object({ card: z.string(), end: z.string() }),
  retry: { attempts: 2, base: 1 },
  run({ card, end }, job) {
    if (end === 'throw') throw new Error(`the provider refused ${card}`)
    if (end === 'retry' && job.attempt === 1) throw new Error(card)
    job.log(card)
    return { card }
  },
})

/** A backend that fails once with its URL in the message. */
function faulty(lines: readonly string[]) {
  let hasFailed = false
  return {
    async open(options: BackendOptions) {
      const { broker, ...rest } = openMemory(options)
      const claim: typeof broker.claim = async (...call) => {
        if (hasFailed || lines.length === 0) return broker.claim(...call)
        hasFailed = true
        throw new Error(`connect to redis://:${SECRET}@host:6379 failed`)
      }
      return { ...rest, broker: { ...broker, claim } }
    },
  }
}

afterEach(() => void vi.restoreAllMocks())

function written(): string[] {
  const lines: string[] = []
  vi.spyOn(process.stderr, 'write').mockImplementation((line) => {
    lines.push(String(line))
    return true
  })
  return lines
}

test('through pino each attempt is a line, and no secret of a payload, result, error or URL is in any', async () => {
  const lines: string[] = []
  const logger = pino({ level: 'debug' }, { write: (line: string) => void lines.push(line) })
  await using queue = offload({ url: faulty(['x']), tasks: [pay], logger, log: true })
  queue.work()
  const handles = await Promise.all(
    ['ok', 'throw', 'retry'].map((end) => queue.enqueue(pay, { card: SECRET, end })),
  )
  await Promise.allSettled(handles.map((handle) => handle.result()))
  await vi.waitFor(() => expect(lines.filter((line) => line.includes('"outcome"'))).toHaveLength(5))
  const ends = lines.map((line) => JSON.parse(line)).filter(({ outcome }) => outcome !== undefined)
  const of = (nth: number) => ends.filter(({ jobId }) => jobId === handles[nth]?.id)
  expect(of(0)).toMatchObject([{ level: 30, task: 'pay', queue: 'default', attempt: 1, outcome: 'done' }])
  expect(of(1)).toMatchObject([
    { level: 40, outcome: 'retry', code: 'HANDLER_FAILED' },
    { level: 50, outcome: 'dead', code: 'HANDLER_FAILED' },
  ])
  expect(of(2)).toMatchObject([
    { level: 40, outcome: 'retry', attempt: 1 },
    { level: 30, outcome: 'done', attempt: 2 },
  ])
  for (const { waitMs, runMs, attempt } of ends) {
    expect(runMs).toBeGreaterThanOrEqual(0)
    expect(waitMs === undefined).toBe(attempt > 1)
  }
  expect(lines.join('')).toContain('the backend cannot be reached')
  expect(lines.join('')).not.toContain(SECRET)
})

test('the default logger writes what failed, and nothing of what went well', async () => {
  const lines = written()
  await using queue = offload({ url: 'memory:', tasks: [pay], log: true })
  queue.work()
  const handles = await Promise.all(['ok', 'throw'].map((end) => queue.enqueue(pay, { card: SECRET, end })))
  await Promise.allSettled(handles.map((handle) => handle.result()))
  await vi.waitFor(() => expect(lines).toHaveLength(2))
  expect(lines.map((line) => JSON.parse(line).outcome)).toEqual(['retry', 'dead'])
  expect(lines.join('')).not.toContain(SECRET)
})

test('without the option a dead letter is told once, by its own line', async () => {
  const lines = written()
  await using queue = offload({ url: 'memory:', tasks: [pay] })
  queue.work()
  const handle = await queue.enqueue(pay, { card: '1', end: 'throw' })
  await expect(handle.result()).rejects.toThrow()
  await vi.waitFor(() => expect(lines).toHaveLength(1))
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({ level: 40, jobId: handle.id, code: 'HANDLER_FAILED' })
})

test('the lines of the default logger have the shape of those of pino', () => {
  const lines = written()
  const theirs: string[] = []
  const logger = pino({}, { write: (line: string) => void theirs.push(line) })
  for (const level of ['warn', 'error'] as const) {
    defaultLogger[level]({ jobId: 'a' }, 'b')
    logger[level]({ jobId: 'a' }, 'b')
  }
  const shape = (line: string) => ({ ...JSON.parse(line), time: 0 })
  expect(lines.map(shape)).toEqual(theirs.map(shape))
  expect(Object.keys(JSON.parse(lines[0] ?? ''))).toEqual(Object.keys(JSON.parse(theirs[0] ?? '')))
})
