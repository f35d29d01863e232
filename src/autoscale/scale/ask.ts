import type { Duration } from '../../duration.ts'
import { toMs } from '../../duration.ts'
import { OffloadError, shown } from '../../job/errors.ts'
import { checkName } from '../../job/id.ts'

/** Which workers are asked about: those of some queues, and how they are. */
export interface ScaleOptions {
  /** What they serve. @default every queue that was ever used */
  readonly queues?: readonly string[]
  /** The fewest workers. @default 1 */
  readonly min?: number
  /** The most workers. @default 10 */
  readonly max?: number
  /** Handlers that one worker runs at once: its `concurrency`. @default 10 */
  readonly concurrency?: number
  /** How long a job that could start may wait. @default '5s' */
  readonly targetAge?: Duration
}

/** The same, made whole. */
export interface Ask {
  readonly queues: readonly string[] | undefined
  readonly min: number
  readonly max: number
  readonly slots: number
  readonly targetAgeMs: number
}

const MOST_WORKERS = 100_000
const MOST_SLOTS = 10_000

/** @throws OPTION_INVALID, naming the option */
export function askOf(options: ScaleOptions): Ask {
  const { queues, targetAge = '5s' } = options
  const min = whole('min', options.min ?? 1, 0, MOST_WORKERS)
  const max = whole('max', options.max ?? Math.max(10, min), 1, MOST_WORKERS)
  if (min > max) throw new OffloadError('OPTION_INVALID', `min ${min} must not be above max ${max}`)
  const targetAgeMs = toMs(targetAge, 'targetAge')
  if (targetAgeMs === 0) throw new OffloadError('OPTION_INVALID', 'targetAge must be above 0')
  return {
    queues: queues && [...new Set(queues.map((queue) => checkName('queue', queue)))].sort(),
    min,
    max,
    slots: whole('concurrency', options.concurrency ?? 10, 1, MOST_SLOTS),
    targetAgeMs,
  }
}

function whole(name: string, value: number, least: number, most: number): number {
  if (Number.isInteger(value) && value >= least && value <= most) return value
  throw new OffloadError(
    'OPTION_INVALID',
    `${name} must be a whole number from ${least} to ${most}, not ${shown(value)}`,
  )
}

const NAMES = ['queues', 'min', 'max', 'concurrency', 'targetAge'] as const

/**
 * The same from words, as a query string or the metadata of a ScaledObject has them; what they leave out is as `defaults` say.
 * @throws OPTION_INVALID for a name that means nothing here, too: a slip would scale by something else than was meant
 */
export function askIn(words: Iterable<readonly [string, string]>, defaults: ScaleOptions): Ask {
  const given = new Map(words)
  for (const name of given.keys())
    if (!NAMES.some((known) => known === name))
      throw new OffloadError(
        'OPTION_INVALID',
        `${shown(name)} means nothing here: it takes ${NAMES.join(', ')}`,
      )
  const [queues, targetAge] = [given.get('queues'), given.get('targetAge')]
  return askOf({
    ...defaults,
    ...number('min', given),
    ...number('max', given),
    ...number('concurrency', given),
    ...(queues === undefined ? {} : { queues: queues.split(',').map((name) => name.trim()) }),
    ...(targetAge === undefined ? {} : { targetAge: targetAge as Duration }),
  })
}

function number(name: 'min' | 'max' | 'concurrency', words: ReadonlyMap<string, string>): ScaleOptions {
  const text = words.get(name)
  if (text === undefined) return {}
  return { [name]: /^\d{1,15}$/.test(text) ? Number(text) : text }
}

/** The same for two that ask the same. */
export const keyOf = (ask: Ask): string => JSON.stringify(ask)
