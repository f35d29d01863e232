import assert from 'node:assert/strict'
import { defaultRetention } from '../../backend.ts'
import { openMemory } from '../../backends/memory/index.ts'
import type { Claim } from '../../broker.ts'
import type { FollowUp, Job, JobRecord } from '../../job/job.ts'
import type { Ending } from '../../job/state.ts'
import type { Action, Ledger } from '../../ledger.ts'
import { silentLogger } from '../../log.ts'
import { seeded } from '../least-power-broker.ts'
import { VirtualClock } from '../virtual-clock.ts'
import type { Bench, ConformanceCase } from './case.ts'
import { roomFor } from './case.ts'

const STEPS = 150
const room = roomFor({ jobs: 60, bytes: 900 })
const done: Ending = { type: 'done' }

/** Random commands on the ledger under test and on the reference in memory, in lock step: they must answer alike. */
export const model: readonly ConformanceCase[] = [1, 2, 3, 4, 5, 6, 7, 8].map((nth) => ({
  group: 'model',
  name: `random commands do what they do on the reference (${nth})`,
  skip: ({ virtual, name }) =>
    !virtual
      ? 'the lock step needs a virtual clock'
      : name.includes('joined')
        ? 'the ledger beneath is compared by itself; its sweep takes jobs of its own accord'
        : undefined,
  async run(bench) {
    const seed = Number(process.env.OFFLOAD_SEED ?? Math.floor(Math.random() * 2 ** 31)) + nth
    try {
      await lockStep(bench, seeded(seed))
    } catch (error) {
      throw new Error(`with OFFLOAD_SEED=${seed - nth}: ${(error as Error).message}`, { cause: error })
    }
  },
}))

async function lockStep(bench: Bench, random: () => number): Promise<void> {
  const clock = new VirtualClock(bench.target.now())
  const { ledger: reference } = openMemory({
    clock,
    logger: silentLogger,
    retention: defaultRetention,
    timeoutMs: 1000,
  })
  if (reference === undefined) throw new Error('the reference remembers jobs')
  const pair = [bench.ledger, reference] as const
  const held: [Claim, Claim][] = []
  const pick = (n: number): number => Math.floor(random() * n)
  const both = async <T>(command: (ledger: Ledger, which: 0 | 1) => Promise<T>): Promise<[T, T]> => [
    await command(pair[0], 0),
    await command(pair[1], 1),
  ]
  const agree = <T>([a, b]: [T, T]): void => assert.deepEqual(a, b)

  /** Jobs that a store may keep together, and jobs that it cannot. */
  const alike = (count: number): Job[] => Array.from({ length: count }, () => bench.job())
  const followUp = (): FollowUp => ({
    id: `next-${pick(1e9)}`,
    task: 'next',
    queue: 'q',
    priority: pick(10),
    maxAttempts: 1 + pick(3),
  })
  const unlike = (): Job =>
    bench.job({
      ...(random() < 0.1 ? { id: `job-${1 + pick(20)}` } : {}),
      priority: pick(10),
      maxAttempts: 1 + pick(3),
      payload: JSON.stringify('ü'.repeat(pick(30))),
      ...(random() < 0.5 ? { key: `k${pick(2)}` } : {}),
      ...(random() < 0.3 ? { runAt: clock.now() + pick(3000) } : {}),
      ...(random() < 0.2 ? { idempotency: { key: `i${pick(5)}`, fingerprint: `f${pick(2)}` } } : {}),
      ...(random() < 0.2 ? { onDone: [followUp()] } : {}),
      ...(random() < 0.2 ? { deadline: clock.now() + 1 + pick(5000) } : {}),
    })
  /** Some of the claims, in any order. */
  const draw = (): [Claim, Claim][] => held.filter(() => random() < 0.3).sort(() => random() - 0.5)

  for (let step = 0; step < STEPS; step++) {
    const now = clock.now()
    switch (pick(8)) {
      case 0:
      case 1: {
        const jobs = random() < 0.5 ? alike(1 + pick(8)) : Array.from({ length: 1 + pick(3) }, unlike)
        agree(await both((ledger) => ledger.record(jobs, room)))
        break
      }
      case 2: {
        const limit = 1 + pick(8)
        const [a, b] = await both((ledger) => ledger.claim('q', { limit, leaseMs: 2000, worker: 'w' }))
        agree([a.map(bare), b.map(bare)])
        for (const [i, claim] of a.entries()) held.push([claim, b[i] as Claim])
        break
      }
      case 3:
      case 4: {
        const ending = anEnding(pick(6), now + pick(2000), now)
        const some = draw().map((claims) => ({ claims, ending: random() < 0.7 ? done : ending }))
        for (const { claims } of some) held.splice(held.indexOf(claims), 1)
        agree(
          await both((ledger, which) =>
            ledger.settle(some.map(({ claims, ending }) => ({ claim: claims[which], ...ending }))),
          ),
        )
        break
      }
      case 5: {
        const some = draw()
        agree(
          await both((ledger, which) =>
            ledger.renew(
              some.map((claims) => ({ claim: claims[which], progress: '1' })),
              2000,
            ),
          ),
        )
        break
      }
      case 6: {
        const action = anAction(pick(5), [`job-${1 + pick(40)}`], now + 1, 1 + pick(3))
        agree(await both((ledger) => ledger.act(action)))
        break
      }
      case 7: {
        const ms = pick(1500)
        await clock.advance(ms)
        await bench.target.advance(ms)
      }
    }
    agree(await both(async (ledger) => (await ledger.find({ limit: 1000 })).jobs.map(plain)))
    agree(await both((ledger) => ledger.depth()))
  }
}

function bare({ job, attempt, fence, leaseUntil }: Claim): object {
  return { id: job.id, attempt, fence, leaseUntil }
}

function plain(record: JobRecord): object {
  return JSON.parse(JSON.stringify(record)) as object
}

function anAction(which: number, ids: readonly string[], before: number, limit: number): Action {
  const actions: Action[] = [
    { type: 'cancel', ids },
    { type: 'retry', ids },
    { type: 'redrive', filter: {}, before, limit },
    { type: 'purge', filter: {}, before, limit },
    { type: 'forget', ids },
  ]
  return actions[which] ?? { type: 'cancel', ids }
}

function anEnding(which: number, runAt: number, at: number): Ending {
  const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'x', attempt: 1, at }
  const endings: Ending[] = [
    { type: 'done', result: '1' },
    { type: 'done' },
    { type: 'retry', runAt, fault },
    { type: 'snooze', runAt },
    { type: 'release' },
    { type: 'dead', fault },
  ]
  return endings[which] ?? { type: 'release' }
}
