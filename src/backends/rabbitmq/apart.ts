import type { Job } from '../../job/job.ts'
import { coded, PUBLISH } from './faults.ts'
import type { Sent } from './sender.ts'

type Packs = readonly (readonly Job[])[]

/** Publishes packs of jobs; one that is too long for the server is taken apart. What became of each job. */
export async function publishApart(
  packs: Packs,
  publish: (packs: Packs) => Promise<readonly Sent[]>,
): Promise<ReadonlyMap<Job, Sent>> {
  const verdicts = new Map<Job, Sent>()
  const first = await publish(packs)
  note(verdicts, packs, first)
  if (!first.includes('tooLong')) return verdicts
  const apart = packs
    .filter((pack, at) => first[at] === 'tooLong' && pack.length > 1)
    .flatMap((pack) => pack.map((job) => [job]))
  if (apart.length === 0) return verdicts
  // Others were answered for already.
  const failed = (error: unknown): readonly Sent[] => apart.map(() => coded(error, PUBLISH))
  note(verdicts, apart, await publish(apart).catch(failed))
  return verdicts
}

function note(verdicts: Map<Job, Sent>, packs: Packs, those: readonly Sent[]): void {
  for (const [at, pack] of packs.entries()) for (const job of pack) verdicts.set(job, those[at] as Sent)
}
