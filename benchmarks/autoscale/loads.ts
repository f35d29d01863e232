import { randomFrom } from './random.ts'

/** What comes, and what it meets. Times are seconds. */
export interface Load {
  readonly name: string
  readonly what: string
  readonly seconds: number
  /** From the order of a worker to its first claim. */
  readonly startSeconds: number
  /** The fewest workers that may be asked for; one for those who cannot go to none. */
  readonly min: number
  /** Jobs a second. */
  readonly rate: (at: number) => number
  /** The run time of one job while nothing is in its way. */
  readonly run: (random: () => number) => number
  /** Jobs that what they call serves at once at full speed; more share it. */
  readonly capacity: (at: number) => number
  /** Whether the numbers of the queue can be read. */
  readonly readable: (at: number) => boolean
}

export interface Job {
  readonly at: number
  readonly work: number
}

/** No job is to wait longer for its start. */
export const TARGET_SECONDS = 10
export const MAX_WORKERS = 80

const exponential =
  (mean: number) =>
  (random: () => number): number =>
    -Math.log(1 - random()) * mean

/** Most are short, some very long: Pareto with a mean of 2 s, none over two minutes. */
function heavy(random: () => number): number {
  return Math.min(120, 0.75 / (1 - random()) ** (1 / 1.5))
}

const plain = {
  startSeconds: 5,
  min: 1,
  run: exponential(1),
  capacity: () => Number.POSITIVE_INFINITY,
  readable: () => true,
}
const between = (at: number, from: number, to: number): boolean => at >= from && at < to

export const loads: readonly Load[] = [
  {
    ...plain,
    name: 'step',
    what: '4 jobs a second, 40 for five minutes, 4 again',
    seconds: 900,
    rate: (at) => (between(at, 300, 600) ? 40 : 4),
  },
  {
    ...plain,
    name: 'ramp',
    what: 'from 2 jobs a second to 40 within ten minutes, back within five',
    seconds: 1000,
    rate: (at) => (at < 600 ? 2 + (38 * at) / 600 : Math.max(2, 40 - (38 * (at - 600)) / 300)),
  },
  {
    ...plain,
    name: 'sawtooth',
    what: 'five times from 4 jobs a second to 40 within three minutes, then one minute of 4',
    seconds: 1200,
    rate: (at) => (at % 240 < 180 ? 4 + (36 * (at % 240)) / 180 : 4),
  },
  {
    ...plain,
    name: 'heavy tail',
    what: '10 jobs a second whose run times are 0.75 s and more, 2 s on the mean, up to 120 s',
    seconds: 900,
    run: heavy,
    rate: () => 10,
  },
  {
    ...plain,
    name: 'brown-out',
    what: '20 jobs a second; for three minutes what they call serves 10 at once, as slowly as more ask',
    seconds: 1200,
    rate: () => 20,
    capacity: (at) => (between(at, 300, 480) ? 10 : Number.POSITIVE_INFINITY),
  },
  {
    ...plain,
    name: 'metric outage',
    what: '20 jobs a second; for three minutes nothing of the queue can be read',
    seconds: 900,
    rate: () => 20,
    readable: (at) => !between(at, 300, 480),
  },
  {
    ...plain,
    name: 'cold start',
    what: 'nothing for a minute, then 20 jobs a second; a worker takes 20 s to start, and none runs',
    seconds: 900,
    startSeconds: 20,
    min: 0,
    rate: (at) => (at < 60 ? 0 : 20),
  },
]

/** The jobs of one run, in order of their arrival (Poisson), and a last quiet time in which they can end. */
export function jobsOf(load: Load, seed: number): readonly Job[] {
  const random = randomFrom(seed)
  const highest = Math.max(...Array.from({ length: load.seconds }, (_, at) => load.rate(at)))
  const jobs: Job[] = []
  for (let at = 0; ; ) {
    at -= Math.log(1 - random()) / highest
    if (at >= load.seconds - QUIET_SECONDS) return jobs
    if (random() * highest < load.rate(at)) jobs.push({ at, work: load.run(random) })
  }
}

export const QUIET_SECONDS = 30
