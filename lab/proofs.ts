import { table } from '../benchmarks/lib/figures.ts'
import { seeded } from '../src/testing/least-power-broker.ts'
import type { Check, Found } from './faults/fault.ts'
import { kept } from './faults/fault.ts'
import type { FaultName } from './faults.ts'
import { runFault } from './faults.ts'
import type { Mutant } from './mutants.ts'
import { storm } from './storm.ts'

/** That a check of the lab can fail: a bug that is put in, where, and which check must catch it. */
export interface Proof {
  readonly mutant: Mutant
  readonly under: FaultName | 'storm'
  readonly caughtBy: Check
}

export const proofs: readonly Proof[] = [
  { mutant: 'a job is acknowledged before it is stored', under: 'storm', caughtBy: 'lost' },
  { mutant: 'an end is acknowledged and not stored', under: 'storm', caughtBy: 'finishedTwice' },
  { mutant: 'an end is taken from a worker that lost its lease', under: 'lateEnd', caughtBy: 'staleEnds' },
  { mutant: 'a lease never ends', under: 'storm', caughtBy: 'stuck' },
  { mutant: 'a job is tried without end', under: 'poisonKills', caughtBy: 'undead' },
  { mutant: 'a late end is refused in silence', under: 'lateThrow', caughtBy: 'untold' },
  { mutant: 'a job has but one attempt', under: 'littleMemory', caughtBy: 'died' },
  { mutant: 'a dead connection is never noticed', under: 'halfOpen', caughtBy: 'stuck' },
  { mutant: 'an end is acknowledged and not stored', under: 'duplicates', caughtBy: 'finishedTwice' },
  { mutant: 'a refused job is told to be accepted', under: 'diskFull', caughtBy: 'lost' },
  { mutant: 'a refusal has no code', under: 'diskFull', caughtBy: 'uncoded' },
  { mutant: 'a store that fails looks like an empty queue', under: 'diskFull', caughtBy: 'silent' },
  { mutant: 'a job is acknowledged before it is stored', under: 'tornWrites', caughtBy: 'torn' },
  { mutant: 'a job is acknowledged without an fsync', under: 'powerCut', caughtBy: 'unsynced' },
  { mutant: 'a lease is never renewed', under: 'setBack', caughtBy: 'stuck' },
  { mutant: 'a worker takes all that there is', under: 'slowConsumer', caughtBy: 'hoarded' },
  { mutant: 'a worker keeps what it has done', under: 'slowConsumer', caughtBy: 'grown' },
  { mutant: 'retries wait without jitter', under: 'outage', caughtBy: 'herd' },
  { mutant: 'a job does not wait until it is due', under: 'timers', caughtBy: 'early' },
  { mutant: 'a key holds nobody back', under: 'keyHolders', caughtBy: 'outOfLine' },
]

/** Long enough for a build without the bug, short enough to wait for one with it. */
const PATIENCE_MS = 8000

/** What the checks found in a build with the bug; undefined where the fault cannot be injected. */
async function foundIn({ mutant, under }: Proof, seed: number): Promise<Found | undefined> {
  if (under === 'storm') {
    const small = { kills: 20, jobs: 3000, patienceMs: PATIENCE_MS, log() {} }
    return kept((await storm({ ...small, system: 'sqlite', random: seeded(seed), mutant })).count)
  }
  const finding = await runFault(under, { form: 'short', seed, mutant, patienceMs: PATIENCE_MS })
  return 'skipped' in finding ? undefined : finding.found
}

export interface Verdict extends Proof {
  readonly verdict: 'caught' | 'NOT CAUGHT' | 'not possible here'
  /** The first thing that the check found. */
  readonly found: string
}

export async function prove(proof: Proof, seed: number): Promise<Verdict> {
  const found = await foundIn(proof, seed)
  const first = found?.[proof.caughtBy]?.[0] ?? ''
  const verdict = found === undefined ? 'not possible here' : first === '' ? 'NOT CAUGHT' : 'caught'
  return { ...proof, verdict, found: first }
}

export function proofTable(verdicts: readonly Verdict[]): string {
  return table(
    ['bug put in', 'under', 'check', 'verdict', 'first thing found'],
    verdicts.map(({ mutant, under, caughtBy, verdict, found }) => [mutant, under, caughtBy, verdict, found]),
  )
}
