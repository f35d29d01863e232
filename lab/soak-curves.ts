import type { Point } from './curve.ts'
import type { Sample } from './soak.ts'

/** What is drawn or compared over the time of a soak. */
export interface Curve {
  readonly name: string
  readonly unit: string
  readonly of: (sample: Sample) => number | undefined
}

const MB = 1e6
const inMb = (bytes: number | undefined): number | undefined => bytes && bytes / MB

export const memory: readonly Curve[] = [
  { name: 'producer', unit: 'MB', of: ({ producer }) => inMb(producer?.rss) },
  { name: 'worker', unit: 'MB', of: ({ worker }) => inMb(worker?.rss) },
]
export const handles: readonly Curve[] = [
  { name: 'producer: files', unit: '', of: ({ producer }) => producer?.files },
  { name: 'producer: resources', unit: '', of: ({ producer }) => producer?.resources },
  { name: 'worker: files', unit: '', of: ({ worker }) => worker?.files },
  { name: 'worker: resources', unit: '', of: ({ worker }) => worker?.resources },
]
export const file: readonly Curve[] = [
  { name: 'database', unit: 'MB', of: ({ fileBytes }) => inMb(fileBytes) },
  { name: 'write-ahead log', unit: 'MB', of: ({ walBytes }) => inMb(walBytes) },
]
export const latency: readonly Curve[] = [
  { name: 'p50', unit: 'ms', of: ({ startP50 }) => startP50 },
  { name: 'p99', unit: 'ms', of: ({ startP99 }) => startP99 },
]
export const others: readonly Curve[] = [
  { name: 'heap used, producer', unit: 'MB', of: ({ producer }) => inMb(producer?.heapUsed) },
  { name: 'heap used, worker', unit: 'MB', of: ({ worker }) => inMb(worker?.heapUsed) },
  { name: 'call to answer, p50', unit: 'ms', of: ({ acceptP50 }) => acceptP50 },
  { name: 'call to answer, p99', unit: 'ms', of: ({ acceptP99 }) => acceptP99 },
  { name: 'waiting', unit: 'jobs', of: ({ waiting }) => waiting },
  { name: 'accepted', unit: 'jobs/s', of: ({ acceptedPerSecond }) => acceptedPerSecond },
  { name: 'done', unit: 'jobs/s', of: ({ donePerSecond }) => donePerSecond },
]

export function pointsOf({ of }: Curve, samples: readonly Sample[]): Point[] {
  return samples.flatMap((sample) => {
    const value = of(sample)
    return value === undefined ? [] : [[sample.at, value] as const]
  })
}
