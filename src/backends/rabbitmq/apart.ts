import type { Job } from '../../job/job.ts'
import type { Verdict } from './publisher.ts'

type Packs = readonly (readonly Job[])[]

/** Publishes packs of jobs; one that is too long for the server is taken apart. What became of each job. */
export async function publishApart(
  packs: Packs,
  publish: (packs: Packs) => Promise<readonly Verdict[]>,
): Promise<ReadonlyMap<Job, Verdict>> {
  const first = await publish(packs)
  const apart = packs
    .filter((pack, at) => first[at] === 'tooLong' && pack.length > 1)
    .flatMap((pack) => pack.map((job) => [job]))
  const verdicts = [...first, ...(apart.length === 0 ? [] : await publish(apart))]
  return new Map(
    [...packs, ...apart].flatMap((pack, at) => pack.map((job) => [job, verdicts[at] as Verdict] as const)),
  )
}
