import { expect, test } from 'vitest'
import { PRODUCERS, WORKERS } from '../../lab/crew.ts'
import { soak } from '../../lab/soak.ts'
import { report } from '../../lab/soak-report.ts'
import { seeded } from '../../src/testing/least-power-broker.ts'

/** Printed, so that a run can be repeated: OFFLOAD_CRASH_SEED. */
const seed = Number(process.env.OFFLOAD_CRASH_SEED ?? Date.now() % 1_000_000)

test(`a steady load with faults loses nothing, ends nothing twice, and its four curves are drawn (OFFLOAD_CRASH_SEED=${seed})`, async () => {
  const settings = {
    seed,
    rate: 300,
    ms: 9000,
    leaseMs: 1000,
    retentionMs: 3000,
    sampleMs: 1500,
    faultMs: 900,
  }
  const result = await soak({ ...settings, random: seeded(seed), log() {} })
  const { reckoning, stuck, dead, crashed, samples, faults, logged } = result
  console.log('soak', reckoning, faults.map(({ name }) => name).join(', '), logged)

  expect(reckoning).toMatchObject({ lost: 0, finishedTwice: 0, examples: [] })
  expect({ stuck, dead, crashed }).toEqual({ stuck: false, dead: 0, crashed: 0 })
  expect(reckoning.accepted).toBeGreaterThan(PRODUCERS * WORKERS)
  expect(faults.length).toBeGreaterThan(1)

  const taken = (of: (sample: (typeof samples)[number]) => number | undefined): boolean =>
    samples.some((sample) => (of(sample) ?? 0) > 0)
  expect(taken(({ producer }) => producer?.rss)).toBe(true)
  expect(taken(({ worker }) => worker?.rss)).toBe(true)
  expect(taken(({ worker }) => worker?.resources)).toBe(true)
  expect(taken(({ fileBytes }) => fileBytes)).toBe(true)
  expect(taken(({ startP50 }) => startP50)).toBe(true)
  expect(taken(({ acceptP99 }) => acceptP99)).toBe(true)

  const { svg, markdown, json } = report(result, settings)
  expect(svg.match(/<g class="chart">/g)).toHaveLength(4)
  expect(svg).not.toContain('NaN')
  expect(markdown).toContain('| lost | 0 |')
  expect(JSON.parse(json).samples.at).toHaveLength(samples.length)
})
