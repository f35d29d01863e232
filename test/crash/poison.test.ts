import { expect, test } from 'vitest'
import type { Poison } from '../../lab/child.ts'
import { count, Scene, summary } from '../../lab/scene.ts'

const LEASE_MS = 1000

const poisons: readonly [does: string, poison: Poison, code: string][] = [
  ['kills its worker', 'kill', 'LEASE_LOST'],
  ['exits the process of its worker', 'exit', 'LEASE_LOST'],
  ['takes all memory of its worker', 'memory', 'LEASE_LOST'],
  ['holds the event loop for three leases', 'block', 'LEASE_LOST'],
  ['never ends', 'hang', 'JOB_TIMEOUT'],
]

test.each(poisons)(
  'a job that %s every time is dead after its attempts, and the rest of the queue is done',
  async (does, poison, code) => {
    await using scene = new Scene()
    expect(await scene.start({ role: 'produce', jobs: 40, poisons: 1 }).ended).toBe(0)
    let processes = 0
    const supervise = async (): Promise<void> => {
      while (!scene.closed && ++processes < 20) {
        const work = { role: 'work', leaseMs: LEASE_MS, concurrency: 2, poison } as const
        await scene.start(work, ['--max-old-space-size=100']).ended
      }
    }
    const supervised = [supervise(), supervise()]
    const result = await count(scene)
    console.log(summary(`by a job that ${does}`, result, LEASE_MS))
    await scene.close()
    await Promise.all(supervised)
    const dead = [...result.jobsById.values()].filter(({ state }) => state === 'dead')
    expect(dead.map(({ id, attempt }) => ({ id, attempt }))).toEqual([{ id: 'p-0', attempt: 3 }])
    expect(dead[0]?.faults.map((fault) => fault.code)).toEqual([code, code, code])
    expect(result.lost).toEqual([])
    expect(result.finishedTwice).toEqual([])
    expect(result.staleEnds).toEqual([])
    expect(result.stuck).toBe(false)
  },
)
