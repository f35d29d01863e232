import { table } from '../lib/figures.ts'
import type { Compared, Row } from './compare.ts'
import type { Load } from './loads.ts'
import { MAX_WORKERS, TARGET_SECONDS } from './loads.ts'

export function pictureOf({ name }: Load): string {
  return `autoscale-${name.replaceAll(' ', '-')}.svg`
}

function bestOf({ rows }: Compared): { own: Row; best: Row } {
  const [first, ...peers] = rows
  const best = peers.toSorted((one, other) => one.secondsAbove - other.secondsAbove)[0]
  if (first === undefined || best === undefined) throw new Error('nothing to compare')
  return { own: first, best }
}

const yesNo = (isSo: boolean): string => (isSo ? 'yes' : 'no')
const oneDigit = (value: number): string => value.toFixed(1)
const twoDigits = (value: number): string => value.toFixed(2)

export function goalRow(compared: Compared): string[] {
  const { own: ours, best } = bestOf(compared)
  return [
    compared.load.name,
    oneDigit(ours.secondsAbove),
    `${oneDigit(best.secondsAbove)} (${best.system}, at ${twoDigits(best.cost)}x)`,
    yesNo(ours.secondsAbove <= best.secondsAbove / 2),
    `${twoDigits(ours.cost)}x`,
    yesNo(ours.cost <= 1.3),
  ]
}

function figureRows({ load, rows, clairvoyantPeak }: Compared): string[][] {
  return rows.map((row) => [
    load.name,
    row.system,
    oneDigit(row.secondsAbove),
    oneDigit(row.mostAbove),
    oneDigit(row.oldest),
    `${row.peak} of ${Math.ceil(clairvoyantPeak)}`,
    String(row.turns),
    `${twoDigits(row.cost)}x`,
    `${twoDigits(row.mostCost)}x`,
    String(row.killed),
  ])
}

export function textOf(
  all: readonly Compared[],
  others: readonly { what: string; compared: Compared }[],
  seeds: readonly number[],
): string {
  const goalHead = [
    'load',
    's above, Offload',
    's above, best of the others',
    'at most half',
    'cost',
    'at most 1.3x',
  ]
  const head = [
    'load',
    'system',
    's above target',
    'worst seed',
    'oldest job s',
    'peak workers (of the clairvoyant)',
    'direction changes',
    'cost',
    'worst seed',
    'jobs killed',
  ]
  const variantRows = others.map(({ what, compared }) => [what, ...goalRow(compared)])
  return `# Autoscaling, simulated

Made by \`npm run bench -- autoscale\`; medians of ${seeds.length} seeds (${seeds[0]} to ${seeds.at(-1)}, none of which was looked at while the policy was made; jobs killed are of all together). Every system drives the same workers on the same jobs: one job at a time, at most ${MAX_WORKERS} workers, a target age of ${TARGET_SECONDS} s, arrivals at random, and run times that are exponential with a mean of 1 s unless told otherwise. *Above* is the time in which the oldest ready job was older than the target; *cost* is worker-seconds (starting and ending workers too) by those of the clairvoyant.

## Goals

${table(goalHead, all.map(goalRow))}

**Where both are at 0 the goal of half is a tie.** Celery, which starts a process for every job that it holds, is at 0 there too, for what it costs beside that; Offload is at 0 for the cost in the column beside.

## All figures

${table(head, all.flatMap(figureRows))}

${all.map(({ load }) => `**${load.name}**: ${load.what}.\n\n![${load.name}](${pictureOf(load)})`).join('\n\n')}

## Other settings

Medians of 5 seeds. Offload is told the start-up time in each, and nothing else.
Where the start-up is as long as the target, or a job runs for a good part of it, Offload falls short of both goals on some loads: a policy
that reacts and does not over-provision has no slack left there, and Celery keeps the target by two to three times the cost.

${table(['setting', ...goalHead], variantRows)}

## What is compared

- **The clairvoyant** knows all arrivals and run times and orders workers ahead of need. Work done by an instant lies between what has come by then and what must be done by then, because its target and run time are over; where nobody could keep the target, what can be done at the most. The shortest path between these two curves does it with the fewest workers at every level and the fewest changes. It pays for \`min\` workers and for the start-up of each one that is added. Its workers are divisible, so no real schedule does with less, and 1.3x of it is stricter than 1.3x of the best real one.
- **Horizon**, \`balance: auto\` and its defaults: one process more or less every 3 s, on the way to all of them while anything is ready. A process that has not ended 60 s after it was told to is killed.
- **Celery**, \`--autoscale\` and its defaults: grows with every message by the whole difference to what it holds (running, and four prefetched a process), shrinks to it after 30 s without growth, idle processes only. It reads nothing of the broker, so the outage of metrics does not reach it. Its processes start as slowly as everyone's here; forked ones are quicker.
- **KEDA** with a queue length of 5 (visible and in flight) **and the HPA**: every 15 s, 10 % tolerance, up by 100 % or 4 pods, down to the highest of five minutes; from none when KEDA polls, every 30 s. A pod is killed 30 s after it was told to end; a longer grace period would save its jobs.
- **Offload** is \`src/autoscale/policy.ts\` as it is, read once a second, with its defaults and the start-up time. It expects run times of 1 s before the first job has ended, which is right on most of these loads.
- Horizon and Celery cannot go to none, so on the cold start they have one worker from the beginning.
- Brown-out: what the jobs call shares its capacity among all that ask, so nobody ends more by asking more, and the target cannot be kept by anyone. It does not fail and does not get worse when overloaded, which would be harder on those who grow.
- In the outage of metrics the load stays as it was. A load that grows while nothing can be read would find Offload, Horizon and KEDA blind and Celery not.
`
}
