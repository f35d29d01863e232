import type { Job } from '../../job/job.ts'
import { coded } from './faults.ts'
import type { Verdict } from './publisher.ts'

type Packs = readonly (readonly Job[])[]

/** Publishes packs of jobs; one that is too long for the server is taken apart. What became of each job. */
export async function publishApart(
  packs: Packs,
  publish: (packs: Packs) => Promise<readonly Verdict[]>,
): Promise<ReadonlyMap<Job, Verdict>> {
  const verdicts = new Map<Job, Verdict>()
  const first = await publish(packs)
  note(verdicts, packs, first)
  if (!first.includes('tooLong')) return verdicts
  const apart = packs
    .filter((pack, at) => first[at] === 'tooLong' && pack.length > 1)
    .flatMap((pack) => pack.map((job) => [job]))
  if (apart.length > 0) note(verdicts, apart, await publish(apart).catch(failing(apart)))
  return verdicts
}

/** Others were answered for already. */
function failing(packs: Packs): (error: unknown) => readonly Verdict[] {
  return (error) => packs.map(() => coded(error, 'cannot be published to'))
}

function note(verdicts: Map<Job, Verdict>, packs: Packs, those: readonly Verdict[]): void {
  for (const [at, pack] of packs.entries()) for (const job of pack) verdicts.set(job, those[at] as Verdict)
}
