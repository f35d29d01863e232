import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { z } from 'zod'
import type { AnsweredCall, EndedAttempt, Observed, Observer } from '../src/index.ts'
import { offload, retry, snooze, task } from '../src/index.ts'
import { silentLogger } from '../src/log.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'offload-observe-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

const snoozed = new Set<string>()
const work = task('work', {
  input: z.object({ end: z.string() }),
  retry: { attempts: 2, base: 1 },
  run({ end }, job) {
    if (end === 'throw') throw new Error('it broke')
    if (end === 'retry' && job.attempt === 1) return retry({ after: 1 })
    if (end === 'snooze' && !snoozed.has(job.id)) {
      snoozed.add(job.id)
      return snooze(1)
    }
    return end
  },
})

test('an observer is told of each accepted call, of each attempt with its times, and what can be asked', async () => {
  const calls: AnsweredCall[] = []
  const ends: EndedAttempt[] = []
  let observed: Observed | undefined
  let closed = 0
  const observer: Observer = {
    attach(what) {
      observed = what
    },
    answered: (told) => void calls.push(told),
    ended: (told) => void ends.push(told),
    close: () => void closed++,
  }
  const queue = offload({
    url: `sqlite:${join(folder, 'jobs.db')}`,
    tasks: [work],
    logger: silentLogger,
    observe: [observer],
  })
  await Promise.all(['done', 'throw', 'retry', 'snooze'].map((end) => queue.enqueue(work, { end })))
  expect(calls.flatMap(({ accepted }) => accepted ?? []).map(({ status }) => status)).toEqual(
    Array(4).fill('queued'),
  )
  expect(await observed?.queues()).toMatchObject([{ queue: 'default', ready: 4 }])
  const worker = queue.work({ concurrency: 3 })
  await vi.waitFor(() => expect(ends).toHaveLength(7))
  const outcomes = Object.groupBy(ends, ({ claim }) => JSON.parse(claim.job.payload).end)
  expect(outcomes.done?.map(({ outcome }) => outcome)).toEqual(['done'])
  expect(outcomes.throw?.map(({ outcome }) => outcome)).toEqual(['retry', 'dead'])
  expect(outcomes.throw?.[1]?.fault).toMatchObject({ code: 'HANDLER_FAILED', message: 'it broke' })
  expect(outcomes.retry?.map(({ outcome }) => outcome)).toEqual(['retry', 'done'])
  expect(outcomes.snooze?.map(({ outcome }) => outcome)).toEqual(['snooze', 'done'])
  for (const { claim, waitMs, runMs, settleMs } of ends) {
    expect(waitMs === null).toBe(claim.attempt > 1)
    expect(Math.min(waitMs ?? 0, runMs, settleMs)).toBeGreaterThanOrEqual(0)
  }
  expect(observed?.workers()).toMatchObject([{ state: 'running', slots: 3, running: 0, queues: ['default'] }])
  await worker.stop()
  await queue.close()
  expect(closed).toBe(1)
})

test('an observer adds what a job carries, and what is run is inside of it', async () => {
  const seen: unknown[] = []
  let depth = 0
  const nested = task('nested', { input: z.object({}), run: () => void seen.push(depth) })
  const observer: Observer = {
    sending: (job) => ({ ...job, trace: { traceparent: '00-1' } }),
    around: (claim) => (run) => {
      seen.push(claim.job.trace)
      depth++
      run()
      depth--
    },
  }
  await using queue = offload({ url: 'memory:', tasks: [nested], observe: [observer] })
  queue.work()
  const handle = await queue.enqueue(nested, {})
  await handle.result()
  expect(seen).toEqual([{ traceparent: '00-1' }, 1])
})
