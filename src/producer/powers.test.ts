import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { Backend } from '../backend.ts'
import type { Features } from '../broker.ts'
import { endedJob } from '../job/follow-up.ts'
import type { Job } from '../job/job.ts'
import type { Ledger } from '../ledger.ts'
import type { AnyTask } from '../task.ts'
import { task } from '../task.ts'
import { checkJob, isDemanding, powered } from './powers.ts'

const NOW = 1_700_000_000_000

const weak: Features = {
  acknowledge: 'each',
  redeliver: 'connection',
  delayMs: 60_000,
  priorities: 1,
  ordered: false,
  dedupMs: 0,
  fenced: false,
  maxMessageBytes: 1000,
  maxBatch: 10,
  exactDepth: true,
}

/** A backend that does nothing but tell its powers, and whether it was closed. */
function backendWith(features: Features, ledger?: Ledger): Backend & { readonly closed: () => number } {
  let closed = 0
  const broker = { name: 'weak', features } as Backend['broker']
  const close = async (): Promise<void> => void closed++
  return { broker, close, closed: () => closed, ...(ledger === undefined ? {} : { ledger }) }
}

const anyLedger = {} as Ledger

const job = (more: Partial<Job> = {}): Job => ({
  id: 'a',
  task: 'mail.send',
  queue: 'q',
  payload: '1',
  priority: 4,
  createdAt: NOW,
  maxAttempts: 3,
  ...more,
})

const followUp = { id: 'next', task: 't', queue: 'q', priority: 4, maxAttempts: 1 }

const demands: readonly (readonly [what: string, more: Partial<Job>, lacks: string])[] = [
  ['a priority', { priority: 7 }, 'serves no job before another'],
  ['a low priority', { priority: 0 }, 'serves no job before another'],
  ['a key', { key: 'k' }, 'keeps no order by key'],
  ['an idempotency key', { idempotency: { key: 'k', fingerprint: 'f' } }, 'cannot hold an idempotency key'],
  ['a job that follows', { onDone: [followUp] }, 'cannot follow the end of a job'],
  ['a long delay', { runAt: NOW + 60_001 }, 'cannot delay a job by more than 60000 ms'],
]

describe('a job for a broker without a ledger', () => {
  test.each(demands)('is refused with %s that the broker does not have, by name', (_, more, lacks) => {
    const demanding = job(more)
    expect(isDemanding(demanding)).toBe(true)
    expect(() => checkJob(demanding, backendWith(weak), NOW)).toThrow(
      expect.objectContaining({
        code: 'CAPABILITY_MISSING',
        task: 'mail.send',
        message: `weak with ledger: 'none' ${lacks}: name a ledger, or ask less of task "mail.send"`,
      }),
    )
  })

  test.each(demands)('is taken with %s where a ledger makes up for it', (_, more) => {
    expect(() => checkJob(job(more), backendWith(weak, anyLedger), NOW)).not.toThrow()
  })

  test.each([
    [{ priority: 7 }, { priorities: 2 }],
    [{ key: 'k' }, { ordered: true }],
    [{ runAt: NOW + 365 * 86_400_000 }, { delayMs: Number.POSITIVE_INFINITY }],
    [{ runAt: NOW + 60_000 }, {}],
    [{ runAt: NOW - 1 }, { delayMs: 0 }],
  ])('is taken with %j where the broker has %j', (more, powers) => {
    expect(() => checkJob(job(more), backendWith({ ...weak, ...powers }), NOW)).not.toThrow()
  })

  test('is taken where it asks for nothing', () => {
    const plain = job({ tenant: 'ada', deadline: NOW + 1, trace: { traceparent: 'x' } })
    expect(isDemanding(plain)).toBe(false)
    expect(() => checkJob(plain, backendWith(weak), NOW)).not.toThrow()
  })
})

describe('tasks for a broker without a ledger', () => {
  const input = z.object({ to: z.string() })
  const run = (): void => {}
  const plain = task('plain', { input, run })
  const notice = task('notice', { input: endedJob, run })

  test.each<[string, AnyTask, string]>([
    ['a priority', task('urgent', { input, run, priority: 9 }), 'serves no job before another'],
    ['a key', task('keyed', { input, run, key: ({ to }) => to }), 'keeps no order by key'],
    ['a fixed key', task('fixed', { input, run, key: 'one' }), 'keeps no order by key'],
    [
      'a task that follows',
      task('followed', { input, run, onDone: notice }),
      'cannot follow the end of a job',
    ],
  ])('are refused at the start with %s, and the backend is closed', async (_, demanding, lacks) => {
    const backend = backendWith(weak)
    await expect(powered(backend, [plain, demanding])).rejects.toMatchObject({
      code: 'CAPABILITY_MISSING',
      task: demanding.name,
      message: expect.stringContaining(lacks),
    })
    expect(backend.closed()).toBe(1)
    const kept = backendWith(weak, anyLedger)
    expect(await powered(kept, [plain, demanding])).toBe(kept)
    expect(kept.closed()).toBe(0)
  })

  test('are refused where the bytes that wait are limited: nobody can count them', async () => {
    const backend = backendWith(weak)
    await expect(powered(backend, [], true)).rejects.toMatchObject({
      code: 'CAPABILITY_MISSING',
      message:
        "weak with ledger: 'none' cannot count the bytes that wait: name a ledger, or leave out limits.waitingBytes",
    })
    expect(backend.closed()).toBe(1)
    const kept = backendWith(weak, anyLedger)
    expect(await powered(kept, [], true)).toBe(kept)
  })

  test('are taken where they ask for nothing', async () => {
    const backend = backendWith(weak)
    expect(await powered(backend, [plain])).toBe(backend)
    expect(await powered(backend, [])).toBe(backend)
    expect(backend.closed()).toBe(0)
  })
})
