import { describe, expect, test } from 'vitest'
import type { Kill } from '../../lab/child.ts'
import type { Count } from '../../lab/scene.ts'
import { count, Scene, summary } from '../../lab/scene.ts'

const LEASE_MS = 1000
const rounds = Number(process.env.OFFLOAD_CRASH_ROUNDS ?? 1)
const kills = 3 * rounds
/** Printed, so that a run can be repeated: OFFLOAD_CRASH_SEED. */
const seed = Number(process.env.OFFLOAD_CRASH_SEED ?? Date.now() % 1_000_000)

function numbers(from: number): () => number {
  let state = from
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648
    return state / 2147483648
  }
}

function expectKept(name: string, result: Count): void {
  console.log(summary(name, result, LEASE_MS))
  expect(result.lost).toEqual([])
  expect(result.finishedTwice).toEqual([])
  expect(result.stuck).toBe(false)
}

function nthCalls(point: string, upTo: number): number[] {
  const random = numbers(seed + point.length)
  const nths = Array.from({ length: kills }, () => 1 + Math.floor(random() * upTo))
  console.log(`crash ${point}: OFFLOAD_CRASH_SEED=${seed}, killed at the calls ${nths.join(', ')}`)
  return nths
}

const points: {
  name: string
  at: Kill['at']
  when: Kill['when']
  upTo: number
  runMs?: number
  jobs?: number
}[] = [
  { name: 'after the claim', at: 'claim', when: 'after', upTo: 4 },
  { name: 'in the run', at: 'run', when: 'before', upTo: 10 },
  { name: 'after the effect, before the end is stored', at: 'run', when: 'after', upTo: 10 },
  { name: 'before the end is stored', at: 'settle', when: 'before', upTo: 5 },
  { name: 'after the end is stored', at: 'settle', when: 'after', upTo: 5 },
  {
    name: 'before the lease is renewed',
    at: 'renew',
    when: 'before',
    upTo: 2,
    runMs: 400,
    jobs: 24 * rounds,
  },
  { name: 'after the lease is renewed', at: 'renew', when: 'after', upTo: 2, runMs: 400, jobs: 24 * rounds },
]

describe(`processes killed with -9 (OFFLOAD_CRASH_SEED=${seed})`, () => {
  for (const when of ['before', 'after'] as const) {
    /** More than all killed producers can have accepted: five a call, six calls each. */
    const jobs = 30 * (kills + 1)
    test(`a producer killed ${when} its jobs are accepted loses none that was acknowledged`, async () => {
      await using scene = new Scene()
      scene.start({ role: 'work', leaseMs: LEASE_MS })
      for (const nth of nthCalls(`${when} accept`, 6)) {
        const kill: Kill = { at: 'enqueue', when, nth }
        expect(await scene.start({ role: 'produce', jobs, kill }).ended).toBe('SIGKILL')
      }
      expect(await scene.start({ role: 'produce', jobs }).ended).toBe(0)
      const result = await count(scene)
      expectKept(`${when} accept`, result)
      expect(result.jobs).toBe(jobs)
      expect(result.ranAgain).toBe(0)
    })
  }

  for (const { name, at, when, upTo, runMs = 5, jobs = 80 * rounds } of points) {
    test(`a worker killed ${name} costs no job and ends none twice`, async () => {
      await using scene = new Scene()
      expect(await scene.start({ role: 'produce', jobs, pauseMs: 0 }).ended).toBe(0)
      for (const nth of nthCalls(name, upTo)) {
        const work = { role: 'work', leaseMs: LEASE_MS, runMs, concurrency: 2 } as const
        expect(await scene.start({ ...work, kill: { at, when, nth } }).ended).toBe('SIGKILL')
      }
      scene.start({ role: 'work', leaseMs: LEASE_MS, runMs, concurrency: 20 })
      const result = await count(scene)
      expectKept(name, result)
      expect(result.jobs).toBe(jobs)
    })
  }
})
