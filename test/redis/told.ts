import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { machine, percentile, table } from '../../benchmarks/lib/figures.ts'

/** What was seen from outside, beside what the store says of itself. */
export interface Tally {
  readonly accepted: number
  readonly lost: number
  readonly finishedTwice: number
  readonly stuck: number
  /** Jobs whose handler ran more than once, which a fault may cause. */
  readonly ranAgain: number
  readonly refusals: number
}

/** A run: what was done to the server, what came of it, and after how many milliseconds jobs flowed again, each time. */
interface Told {
  readonly what: string
  readonly tally: Tally
  readonly backMs: readonly number[]
}

const all: Told[] = []
const RESULT = join(import.meta.dirname, '../../benchmarks/results/redis-faults.md')

/** Prints what a run found, and expects that nothing accepted was lost, ended twice or did not end. */
export function survived(what: string, tally: Tally, backMs: readonly number[] = []): void {
  told(what, tally, backMs)
  expect(tally).toMatchObject({ lost: 0, finishedTwice: 0, stuck: 0 })
  expect(tally.accepted).toBeGreaterThan(0)
}

export function told(what: string, tally: Tally, backMs: readonly number[] = []): void {
  all.push({ what, tally, backMs })
  const { accepted, lost, finishedTwice, stuck, ranAgain, refusals } = tally
  const back = backMs.length === 0 ? '' : `; ms until jobs flowed again: ${spread(backMs)}`
  console.log(
    `redis, ${what}: accepted ${accepted}, lost ${lost}, finished twice ${finishedTwice}, stuck ${stuck}; ran again ${ranAgain}, calls refused ${refusals}${back}`,
  )
}

/** Writes what was told to benchmarks/results/redis-faults.md. */
export function writeTold(command: string): void {
  const back = all.flatMap(({ backMs }) => backMs)
  const rows = all.map(({ what, tally, backMs }) => {
    const { accepted, lost, finishedTwice, stuck, ranAgain, refusals } = tally
    const figures = [accepted, lost, finishedTwice, stuck, ranAgain, refusals].map(String)
    return [what, ...figures, spread(backMs)]
  })
  const head = [
    'fault, under load',
    'accepted',
    'lost',
    'finished twice',
    'stuck',
    'ran again',
    'calls refused',
    'ms until jobs flow',
  ]
  writeFileSync(
    RESULT,
    `# Faults of Redis

${machine()} Made by \`${command}\`. A producer with ten calls in flight and a worker with ten slots and leases of 1 s, every seventh handler
taking longer than the others, while the server or the network fails; real servers throughout. What was accepted and run is counted by
those who were told so, outside the store, and compared with every end that the store tells.

${table(head, rows)}

"Ms until jobs flow" is p50 / p99 / most, from the instant that the server is back (or the network open) until a job that is enqueued then
has been accepted and its handler begins. In the middle of an exchange it is from the fault on, which is found out by a timeout of 1 s where
bytes vanish in silence: two of five breaks. Over all ${back.length} returns: p50 ${percentile(back, 0.5)}, p99 ${percentile(back, 0.99)}, most ${Math.max(...back)} ms.
`,
  )
}

function spread(values: readonly number[]): string {
  if (values.length === 0) return ''
  if (values.length === 1) return String(values[0])
  return `${percentile(values, 0.5)} / ${percentile(values, 0.99)} / ${Math.max(...values)} of ${values.length}`
}
