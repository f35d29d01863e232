import { median, readable, sorted, table } from './figures.ts'
import type { Figure, Figures, Plan, Scenario } from './runner.ts'
import { jobsOf, keyOf, scenarios } from './runner.ts'

/** Offload's figure in a scenario beside that of a peer; of several, the best. */
export interface Beside {
  readonly scenario: Scenario
  /** @default the unit of the scenario */
  readonly figure?: keyof Figure
  readonly peers: readonly string[]
  /** How many times as good Offload is to be. */
  readonly least: number
  /** @default offload */
  readonly system?: string
}

/** Offload's figure in a scenario beside those of others together. */
export interface BesideSum {
  readonly scenario: Scenario
  readonly figure: keyof Figure
  readonly system: string
  readonly sumOf: readonly string[]
}

/** Offload's figure by itself. */
export interface AtMost {
  readonly scenario: Scenario
  readonly most: number
}

const units = {
  rate: 'jobs/s',
  p50: 'ms p50',
  p99: 'ms',
  bytes: 'bytes',
  cpu: '% of a core',
  server: 'µs',
  own: 'µs',
}

function values(figures: Figures, scenario: Scenario, system: string, figure: keyof Figure): number[] {
  return (figures[keyOf(scenario, system)] ?? []).flatMap((one) => one[figure] ?? [])
}

/** One row for every scenario and system. */
export function figureTable({ systems, jobs, hasServer = false }: Plan, figures: Figures): string {
  const rows = (Object.keys(jobs) as Scenario[]).flatMap((scenario) =>
    Object.entries(systems).flatMap(([system, { what }]) => {
      const { unit } = scenarios[scenario]
      const all = sorted(values(figures, scenario, system, unit))
      if (all.length === 0) return []
      const cpu = (['server', 'own'] as const).map((part) => values(figures, scenario, system, part))
      return [
        [
          `${scenario}: ${scenarios[scenario].what}`,
          system,
          what,
          String(jobsOf(jobs[scenario] ?? 0)),
          units[unit],
          all[0] ?? 0,
          median(all),
          all.at(-1) ?? 0,
          unit === 'p50' ? readable(median(values(figures, scenario, system, 'p99'))) : '',
          ...(hasServer ? cpu.map((part) => (part.length > 0 ? readable(median(part)) : '')) : []),
        ],
      ]
    }),
  )
  const head = ['scenario', 'system', 'kept how', 'jobs', 'unit', 'min', 'median', 'max', 'p99']
  return table(hasServer ? [...head, 'server CPU µs a job', 'own CPU µs a job'] : head, rows)
}

/** What was reached of each goal. Goals whose figures were not measured are left out. */
export function goalTable(goals: readonly (Beside | BesideSum | AtMost)[], figures: Figures): string {
  const rows = goals.map((goal) => {
    if ('most' in goal) return atMost(goal, figures)
    return 'sumOf' in goal ? besideSum(goal, figures) : beside(goal, figures)
  })
  return table(
    ['scenario', 'beside', 'goal', 'ratio of medians', 'by repetition', 'reached'],
    rows.filter((row) => row !== undefined),
  )
}

function beside(
  { scenario, figure, peers, least, system = 'offload' }: Beside,
  figures: Figures,
): string[] | undefined {
  const unit = figure ?? scenarios[scenario].unit
  const of = (system: string): number[] => values(figures, scenario, system, unit)
  const better = (our: number, their: number): number => (unit === 'rate' ? our / their : their / our)
  const measured = peers.filter((peer) => of(peer).length > 0)
  const best = measured.toSorted((one, other) => better(median(of(other)), median(of(one))) - 1)[0]
  const ours = of(system)
  if (best === undefined || ours.length === 0) return undefined
  const theirs = of(best)
  const ratio = better(median(ours), median(theirs))
  const each = ours.map((our, index) => better(our, theirs[index] ?? Number.NaN).toFixed(1))
  return [
    [
      scenario,
      ...(system === 'offload' ? [] : [system]),
      ...(unit === 'server' ? ['server CPU a job'] : []),
    ].join(', '),
    best,
    `${least}x`,
    `${ratio.toFixed(1)}x`,
    each.join(', '),
    ratio >= least ? 'yes' : 'no',
  ]
}

function besideSum({ scenario, figure, system, sumOf }: BesideSum, figures: Figures): string[] | undefined {
  const ours = values(figures, scenario, system, figure)
  const theirs = sumOf.map((other) => values(figures, scenario, other, figure))
  if ([ours, ...theirs].some(({ length }) => length === 0)) return undefined
  const sum = theirs.reduce((before, each) => before + median(each), 0)
  const value = median(ours)
  return [
    `${scenario}, ${system}, ${units[figure]}`,
    sumOf.join(' + '),
    `at most ${readable(sum)}`,
    readable(value),
    ours.map(readable).join(', '),
    value <= sum ? 'yes' : 'no',
  ]
}

function atMost({ scenario, most }: AtMost, figures: Figures): string[] | undefined {
  const { unit } = scenarios[scenario]
  const ours = values(figures, scenario, 'offload', unit)
  if (ours.length === 0) return undefined
  const value = median(ours)
  return [
    scenario,
    '',
    `at most ${most} ${units[unit]}`,
    `${readable(value)} ${units[unit]}`,
    ours.map(readable).join(', '),
    value <= most ? 'yes' : 'no',
  ]
}
