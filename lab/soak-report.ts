import { machine, table } from '../benchmarks/lib/figures.ts'
import type { Chart, Sheet } from './chart.ts'
import { draw } from './chart.ts'
import { CONCURRENCY, PRODUCERS, WORKERS } from './crew.ts'
import { between, medianOf, slope } from './curve.ts'
import type { Soak, SoakOptions } from './soak.ts'
import type { Curve } from './soak-curves.ts'
import { file, handles, latency, memory, others, pointsOf } from './soak-curves.ts'

export interface SoakReport {
  readonly markdown: string
  readonly json: string
  readonly svg: string
}

export interface SoakSettings extends Omit<SoakOptions, 'random' | 'log'> {
  readonly seed: number
  /** What was measured before; `rate` is a part of it. */
  readonly sustainable?: number
}

/** The sixth part of the soak is its warm-up, and the length of what is compared: 5 minutes of 30. */
const PARTS = 6

export function report(soak: Soak, settings: SoakSettings): SoakReport {
  return { markdown: markdown(soak, settings), json: json(soak, settings), svg: draw(sheet(soak, settings)) }
}

function sheet({ samples, faults, seconds }: Soak, { rate }: SoakSettings): Sheet {
  const unit = seconds > 180 ? { name: 'min', seconds: 60 } : { name: 's', seconds: 1 }
  const chart = (title: string, scale: Chart['scale'], curves: readonly Curve[]): Chart => ({
    title,
    scale,
    unit: curves[0]?.unit ?? '',
    lines: curves.map((curve) => ({
      name: curve.name,
      points: pointsOf(curve, samples).map(([at, value]) => [at / unit.seconds, value] as const),
    })),
  })
  return {
    title: `Soak: ${lengthOf(seconds)} at ${whole(rate)} jobs a second on SQLite`,
    note: `The light ticks above each chart are faults: ${faults.length} times a process was killed, paused or stopped.`,
    xUnit: unit.name,
    end: seconds / unit.seconds,
    marks: faults.map(({ at }) => at / unit.seconds),
    charts: [
      chart('Memory (RSS) of the processes that live throughout', 'linear', memory),
      chart('Their open files and active resources', 'linear', handles),
      chart('File size', 'linear', file),
      chart('Latency from the call to the start of the handler', 'log', latency),
    ],
  }
}

function markdown(soak: Soak, settings: SoakSettings): string {
  const { seconds, samples, faults, reckoning, stuck, dead, crashed, logged } = soak
  const { rate, sustainable, seed, leaseMs, retentionMs, sampleMs, faultMs } = settings
  const part = seconds / PARTS
  const row = (group: string, curve: Curve): (string | number)[] => {
    const points = pointsOf(curve, samples)
    const middle = (from: number): string => {
      const some = between(points, from, from + part)
      return some.length === 0 ? '–' : short(medianOf(some))
    }
    const growth = slope(between(points, part, seconds + 1)) * 3600
    return [
      group === '' ? curve.name : `${group}: ${curve.name}`,
      curve.unit,
      middle(0),
      middle(part),
      middle(seconds - part),
      `${growth < 0 ? '−' : '+'}${short(Math.abs(growth))}`,
    ]
  }
  const rows = [
    ...memory.map((curve) => row('RSS', curve)),
    ...handles.map((curve) => row('', curve)),
    ...file.map((curve) => row('file', curve)),
    ...latency.map((curve) => row('call to start', curve)),
    ...others.map((curve) => row('', curve)),
  ]
  const long = lengthOf(part)
  const names = [...new Set(faults.map(({ name }) => name))].sort()
  const kinds = names.map((name) => [name, String(faults.filter((fault) => fault.name === name).length)])
  const messages = [...logged]
    .sort(([, a], [, b]) => b - a)
    .map(([message, times]) => [message.replaceAll('|', '/'), whole(times)])
  const pace =
    sustainable === undefined
      ? ''
      : `: ${Math.round((rate / sustainable) * 100)} % of the ${whole(sustainable)} that the same processes kept up with in a short calibration before, without faults`

  return `# Soak

${machine()} Seed ${seed}. Made by \`npm run lab -- soak\`; the samples are in \`soak.json\`.

${PRODUCERS} producers and ${WORKERS} workers (${CONCURRENCY} handlers at once each) are processes on one SQLite file, for ${lengthOf(seconds)}. The producers call for ${whole(rate)} jobs a second together${pace}. Accepts are fsynced; the lease is ${leaseMs} ms; ended jobs and events are kept for ${retentionMs / 1000} s. About every ${faultMs / 1000} s a process is killed with \`-9\`, paused or stopped, and replaced where it ended. One producer and one worker are only ever paused, briefly: theirs are the memory and the handles.

![The four curves](soak.svg)

| asked of every job | |
| --- | --- |
| accepted | ${whole(reckoning.accepted)} |
| done | ${whole(reckoning.done)} |
| lost | ${whole(reckoning.lost)} |
| finished twice | ${whole(reckoning.finishedTwice)} |
| stuck | ${stuck ? 'yes' : '0'} |
| dead | ${whole(dead)} |
| run more than once (at least once is the promise) | ${whole(reckoning.ranAgain)} |
| ran in a process that was killed before it noted the end | ${whole(reckoning.endUnnoted)} |
| ran, the producer was killed before it noted the answer | ${whole(reckoning.answerUnnoted)} |
| processes that ended though nobody ended them | ${whole(crashed)} |

${reckoning.examples.length === 0 ? '' : `Of the lost and those finished twice: ${reckoning.examples.join(', ')}.\n\n`}Medians of the samples (one every ${sampleMs / 1000} s), and the least-squares slope after a warm-up of ${long}:

${table(['curve', 'unit', `first ${long}`, `second ${long}`, `last ${long}`, 'slope an hour'], rows)}

${table(['fault', 'times'], kinds)}

${table(['warning, error or refused call', 'times'], messages)}
`
}

/** In columns; undefined is null. */
function json({ seconds, samples, faults }: Soak, settings: SoakSettings): string {
  const column = (of: Curve['of']): (number | null)[] => samples.map((sample) => rounded(of(sample)) ?? null)
  const usage = (who: 'producer' | 'worker'): object => ({
    rss: column((sample) => sample[who]?.rss),
    heapUsed: column((sample) => sample[who]?.heapUsed),
    files: column((sample) => sample[who]?.files),
    resources: column((sample) => sample[who]?.resources),
  })
  const columns = {
    at: column(({ at }) => at),
    producer: usage('producer'),
    worker: usage('worker'),
    fileBytes: column(({ fileBytes }) => fileBytes),
    walBytes: column(({ walBytes }) => walBytes),
    startP50: column(({ startP50 }) => startP50),
    startP99: column(({ startP99 }) => startP99),
    acceptP50: column(({ acceptP50 }) => acceptP50),
    acceptP99: column(({ acceptP99 }) => acceptP99),
    waiting: column(({ waiting }) => waiting),
    acceptedPerSecond: column(({ acceptedPerSecond }) => acceptedPerSecond),
    donePerSecond: column(({ donePerSecond }) => donePerSecond),
  }
  const names = [...new Set(faults.map(({ name }) => name))]
  const byName = Object.fromEntries(
    names.map((name) => [name, faults.filter((fault) => fault.name === name).map(({ at }) => rounded(at))]),
  )
  return `${JSON.stringify({ machine: machine(), settings, seconds: rounded(seconds), samples: columns, faults: byName })}\n`
}

function rounded(value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 100) / 100
}

function whole(value: number): string {
  return Math.round(value).toLocaleString('en-US')
}

function short(value: number): string {
  return value.toLocaleString('en-US', { maximumSignificantDigits: 3 })
}

function lengthOf(seconds: number): string {
  return seconds > 90 ? `${Math.round(seconds / 60)} minutes` : `${Math.round(seconds)} s`
}
