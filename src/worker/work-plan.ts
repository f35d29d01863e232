import type { SlotRange } from '../autoscale/concurrency.ts'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError, shown } from '../job/errors.ts'
import { checkName } from '../job/id.ts'
import type { AnyTask } from '../task.ts'

export interface WorkOptions {
  /** @default the queues of the tasks given to offload() */
  readonly queues?: readonly string[]
  /**
   * Handlers that run at once. With `min` and `max`, as many as help: found by what they do, and told by `health()`.
   * @default 10
   */
  readonly concurrency?: number | SlotRange
  /** How long a claim is this worker's without a sign of life. @default '30s' */
  readonly lease?: Duration
}

const LEAST_LEASE_MS = 500
const MOST_AT_ONCE = 10_000

/** What a worker does. @throws OPTION_INVALID */
export function workPlan(
  options: WorkOptions,
  tasks: Iterable<AnyTask>,
): {
  readonly concurrency: number | SlotRange
  readonly leaseMs: number
  readonly queues: readonly string[]
} {
  const concurrency = concurrencyOf(options.concurrency ?? 10)
  const leaseMs = toMs(options.lease ?? '30s', 'lease')
  if (leaseMs < LEAST_LEASE_MS)
    throw new OffloadError('OPTION_INVALID', `lease must be at least ${LEAST_LEASE_MS} ms`)
  const queues = new Set(options.queues ?? [...tasks].map(({ queue }) => queue))
  if (queues.size === 0)
    throw new OffloadError(
      'OPTION_INVALID',
      'a worker needs a queue: give offload() some tasks, or work({ queues })',
    )
  return { concurrency, leaseMs, queues: [...queues].map((queue) => checkName('queue', queue)) }
}

function concurrencyOf(asked: number | SlotRange): number | SlotRange {
  const range = typeof asked === 'number' ? { min: asked, max: asked } : asked
  for (const [what, value] of [
    ['min', range.min],
    ['max', range.max],
  ] as const) {
    if (Number.isInteger(value) && value >= 1 && value <= MOST_AT_ONCE) continue
    const name = typeof asked === 'number' ? 'concurrency' : `concurrency.${what}`
    throw new OffloadError(
      'OPTION_INVALID',
      `${name} must be a whole number from 1 to ${MOST_AT_ONCE}, not ${shown(value)}`,
    )
  }
  if (range.min > range.max)
    throw new OffloadError('OPTION_INVALID', `concurrency.min (${range.min}) is more than max (${range.max})`)
  return range.min === range.max ? range.min : range
}
