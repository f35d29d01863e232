import type { ScaleAnswer } from './answer.ts'

const known: readonly (readonly [name: string, help: string, of: (answer: ScaleAnswer) => number | null])[] =
  [
    ['offload_desired_workers', 'Workers that are wanted.', ({ desired }) => desired],
    ['offload_ready_jobs', 'Jobs that could start now.', ({ ready }) => ready],
    ['offload_running_jobs', 'Jobs that run.', ({ running }) => running],
    ['offload_scheduled_jobs', 'Jobs that are due later.', ({ scheduled }) => scheduled],
    [
      'offload_oldest_ready_age_seconds',
      'Age of the oldest job that could start now.',
      ({ oldestAgeMs }) => (oldestAgeMs === null ? null : oldestAgeMs / 1000),
    ],
    ['offload_arrival_rate', 'Jobs accepted in a second.', ({ arrivalRate }) => arrivalRate],
    ['offload_finish_rate', 'Attempts that ended in a second.', ({ finishRate }) => finishRate],
  ]

/** For Prometheus, which scrapes them for an HPA. What cannot be told is left out: a 0 would be a lie that shrinks. */
export function gauges(answer: ScaleAnswer): string {
  const label = `{queues="${escaped(answer.queues.join(','))}"}`
  return known
    .flatMap(([name, help, of]) => {
      const value = answer.blind === undefined || name === 'offload_desired_workers' ? of(answer) : null
      return value === null
        ? []
        : [`# HELP ${name} ${help}\n# TYPE ${name} gauge\n${name}${label} ${value}\n`]
    })
    .join('')
}

const escaped = (text: string): string =>
  text.replace(/[\\"\n]/g, (character) => (character === '\n' ? '\\n' : `\\${character}`))
