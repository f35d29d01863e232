import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { compare } from './compare.ts'
import type { Load } from './loads.ts'
import { jobsOf, loads, MAX_WORKERS } from './loads.ts'
import { own } from './own.ts'
import { picture } from './picture.ts'
import { run } from './plant.ts'
import { goalRow, pictureOf, textOf } from './text.ts'

// `npm run bench -- autoscale`: the policy beside those of others, simulated. `autoscale step 7` tells every decision on one load and seed.
const SEEDS = Array.from({ length: 15 }, (_, nth) => 101 + nth)
const results = join(import.meta.dirname, '../results')

/** What the policy was not tuned on. */
const variants: readonly { what: string; change: (load: Load) => Load }[] = [
  { what: 'start-up 2 s', change: (load) => ({ ...load, startSeconds: 2 }) },
  { what: 'start-up 10 s', change: (load) => ({ ...load, startSeconds: 10 }) },
  {
    what: 'jobs of 4 s, a quarter as many',
    change: (load) => ({
      ...load,
      run: (random) => 4 * load.run(random),
      rate: (at) => load.rate(at) / 4,
    }),
  },
]

function explain(name: string, nth: number): void {
  const load = loads.find((one) => one.name === name)
  if (load === undefined) throw new Error(`the loads are ${loads.map((one) => one.name).join(', ')}`)
  const bounds = { min: load.min, max: MAX_WORKERS }
  const make = () =>
    own(load, bounds, (at, { reason, text }) =>
      console.log(`${at.toFixed(0).padStart(5)} s  ${reason.padEnd(10)}  ${text}`),
    )
  const { secondsAbove, workerSeconds } = run(load, jobsOf(load, nth), make, load.min)
  console.log(`${secondsAbove.toFixed(1)} s above the target, ${Math.round(workerSeconds)} worker-seconds`)
}

function report(): void {
  const all = loads.map((load) => {
    const compared = compare(load, SEEDS)
    writeFileSync(join(results, pictureOf(load)), picture(compared, SEEDS[0] ?? 0))
    console.log(goalRow(compared).join('  '))
    return compared
  })
  const others = variants.flatMap(({ what, change }) =>
    loads.map((load) => ({ what, compared: compare(change(load), SEEDS.slice(0, 5)) })),
  )
  writeFileSync(join(results, 'autoscale.md'), textOf(all, others, SEEDS))
}

const [asked, seed = String(SEEDS[0])] = process.argv.slice(3)
if (asked !== undefined) explain(asked, Number(seed))
else report()
