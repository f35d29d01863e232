import { draw } from '../../lab/chart.ts'
import type { Compared } from './compare.ts'
import { TARGET_SECONDS } from './loads.ts'

/** What comes, the workers of each system, and the age of the oldest job, over the time of one run. */
export function picture({ load, shown }: Compared, seed: number): string {
  const points = (values: readonly number[]): (readonly [number, number])[] =>
    values.map((value, at) => [at, value] as const)
  const rates = Array.from({ length: load.seconds }, (_, at) => load.rate(at))
  return draw({
    title: `Autoscaling: ${load.name}`,
    note: `${load.what}. Start-up ${load.startSeconds} s, seed ${seed}.`,
    xUnit: 's',
    end: load.seconds,
    marks: [],
    charts: [
      {
        title: 'Jobs that come',
        unit: 'a second',
        scale: 'linear',
        lines: [{ name: 'rate', points: points(rates) }],
      },
      {
        title: 'Workers',
        unit: 'starting and ending ones too',
        scale: 'linear',
        lines: [
          ...shown.runs.map(({ system, run }) => ({ name: system, points: points(run.workers) })),
          { name: 'clairvoyant', points: points(shown.best.workers) },
        ],
      },
      {
        title: `Age of the oldest job (s, target ${TARGET_SECONDS})`,
        unit: '',
        scale: 'linear',
        lines: shown.runs.map(({ system, run }) => ({ name: system, points: points(run.ages) })),
      },
    ],
  })
}
