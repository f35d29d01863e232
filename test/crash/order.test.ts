import { expect, test } from 'vitest'
import type { Line } from '../../lab/outside.ts'
import { count, Scene, summary } from '../../lab/scene.ts'

const LEASE_MS = 1000
const rounds = Number(process.env.OFFLOAD_CRASH_ROUNDS ?? 1)

/** What breaks the line of a key: a start before everyone accepted earlier has had its effect, or a run after a later one began. */
function outOfLine(lines: readonly Line[], keys: number): string[] {
  const wrong: string[] = []
  const begun = new Map<number, number>()
  const effects = new Set<string>()
  for (const { kind, id } of lines) {
    if (kind !== 'S' && kind !== 'E') continue
    const place = Number(id.slice(2))
    const key = place % keys
    const furthest = begun.get(key) ?? -1
    if (place < furthest) wrong.push(`${kind} ${id} after p-${furthest} had begun`)
    if (kind === 'S' && place >= keys && !effects.has(`p-${place - keys}`))
      wrong.push(`${id} before p-${place - keys} had its effect`)
    if (kind === 'E') effects.add(id)
    begun.set(key, Math.max(furthest, place))
  }
  return wrong
}

test('jobs of a key never overlap and never change places when their workers are killed', async () => {
  const [keys, jobs] = [3, 30 * rounds]
  await using scene = new Scene()
  expect(await scene.start({ role: 'produce', jobs, keys, pauseMs: 0 }).ended).toBe(0)
  const work = { role: 'work', leaseMs: LEASE_MS, runMs: 10 } as const
  scene.start(work)
  for (let kill = 0; kill < 3 * rounds; kill++) {
    const when = kill % 2 === 0 ? 'before' : 'after'
    const victim = scene.start({ ...work, kill: { at: 'run', when, nth: 1 + (kill % 3) } })
    await Promise.race([victim.ended, scene.drained()])
  }
  const result = await count(scene)
  console.log(summary(`of keyed jobs`, result, LEASE_MS))
  expect(outOfLine(result.lines, keys)).toEqual([])
  expect(result.jobs).toBe(jobs)
  expect(result.lost).toEqual([])
  expect(result.finishedTwice).toEqual([])
  expect(result.stuck).toBe(false)
})
