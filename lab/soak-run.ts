import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { seeded } from '../src/testing/least-power-broker.ts'
import { soak, sustainableRate } from './soak.ts'
import type { SoakSettings } from './soak-report.ts'
import { report } from './soak-report.ts'
import { LEASE_MS } from './storm.ts'

/** Of the rate that producers and workers keep up with. */
const PART = 0.7
const WARM_UP_MS = 10_000
const CALIBRATION_MS = 15_000

/** Measures, soaks for `OFFLOAD_SOAK_MINUTES`, and writes what came of it to benchmarks/results. */
export async function runSoak(seed: number): Promise<void> {
  const minutes = Number(process.env.OFFLOAD_SOAK_MINUTES ?? 30)
  const sustainable = await sustainableRate(LEASE_MS, WARM_UP_MS, CALIBRATION_MS)
  const settings: SoakSettings = {
    seed,
    sustainable: Math.round(sustainable),
    rate: Math.round(sustainable * PART),
    ms: minutes * 60_000,
    leaseMs: LEASE_MS,
    retentionMs: 60_000,
    sampleMs: 5000,
    faultMs: 4000,
  }
  console.log(
    `soak: OFFLOAD_LAB_SEED=${seed}, ${minutes} minutes at ${settings.rate} of ${settings.sustainable} jobs/s`,
  )
  const result = await soak({ ...settings, random: seeded(seed), log: console.log })
  const { markdown, json, svg } = report(result, settings)
  const folder = join(import.meta.dirname, '../benchmarks/results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(join(folder, 'soak.md'), markdown)
  writeFileSync(join(folder, 'soak.json'), json)
  writeFileSync(join(folder, 'soak.svg'), svg)
  console.log(markdown)
  const { reckoning, stuck, dead } = result
  if (reckoning.lost + reckoning.finishedTwice + dead > 0 || stuck) process.exitCode = 1
}
