import type { Retention } from './backend.ts'
import { defaultRetention } from './backend.ts'
import type { MessageBroker } from './backends/registry.ts'
import type { Room } from './broker.ts'
import type { Duration } from './duration.ts'
import { toMs } from './duration.ts'
import { OffloadError } from './job/errors.ts'
import type { Logger } from './log.ts'
import type { Schedule } from './schedule/schedule.ts'
import type { AnyTask } from './task.ts'

export interface OffloadOptions {
  /** What moves the jobs: `sqlite:path` (one file, no server), `memory:`, or a message broker of your own. */
  readonly url: string | MessageBroker
  /** Every task that is queued or run here. */
  readonly tasks: readonly AnyTask[]
  /** Stored by name when the backend is opened; those that are no longer named stay until `schedules.remove(name)`. */
  readonly schedules?: readonly Schedule[]
  /** Where the jobs of a message broker are remembered: `sqlite:path`, or `none`. */
  readonly ledger?: string
  /** Any pino-compatible logger. @default warnings and errors to stderr */
  readonly logger?: Logger
  readonly limits?: LimitOptions
  readonly retention?: RetentionOptions
}

export interface LimitOptions {
  /** Of one payload or result, in UTF-8 bytes. @default 262144 */
  readonly payloadBytes?: number
  /** Waiting jobs of a queue, for all queues or by name. @default 1000000 */
  readonly waiting?: number | Readonly<Record<string, number>>
  /**
   * Of the payloads of the waiting jobs of a queue, in UTF-8 bytes, for all queues or by name: a job that would make it more is
   * refused. At least `payloadBytes`. @default none
   */
  readonly waitingBytes?: number | Readonly<Record<string, number>>
  /** How long a call on a backend that does not answer may take. @default '5s' */
  readonly timeout?: Duration
}

export interface RetentionOptions {
  /** Done and cancelled jobs. @default '24h' and 100000 */
  readonly ended?: Duration
  readonly endedCount?: number
  /** Dead letters. @default '30d' and 100000 */
  readonly dead?: Duration
  readonly deadCount?: number
  /** Events. @default '1h' and 100000 */
  readonly events?: Duration
  readonly eventsCount?: number
}

const DEFAULT_WAITING = 1_000_000

export function byName(tasks: readonly AnyTask[]): ReadonlyMap<string, AnyTask> {
  const map = new Map<string, AnyTask>()
  for (const task of tasks ?? []) {
    if (typeof task?.name !== 'string' || typeof task.run !== 'function')
      throw new OffloadError('OPTION_INVALID', 'tasks must be made by task(name, { … })')
    if (map.has(task.name))
      throw new OffloadError('TASK_DUPLICATE', `two tasks are called "${task.name}": rename one`, {
        task: task.name,
      })
    map.set(task.name, task)
  }
  return map
}

export function positive(value: number, option: string): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new OffloadError('OPTION_INVALID', `${option} must be a whole number above 0, not ${String(value)}`)
}

/** @throws OPTION_INVALID */
export function roomOf({ waiting, waitingBytes }: LimitOptions, payloadBytes: number): Room {
  const jobs = byQueue(waiting, 'limits.waiting', DEFAULT_WAITING, positive)
  const bytes = byQueue(waitingBytes, 'limits.waitingBytes', Number.POSITIVE_INFINITY, (limit, option) => {
    if (positive(limit, option) >= payloadBytes) return limit
    throw new OffloadError(
      'OPTION_INVALID',
      `${option} must be at least limits.payloadBytes, which is ${payloadBytes}: there would never be room for a payload of that size`,
    )
  })
  return (queue) => ({ jobs: jobs(queue), bytes: bytes(queue) })
}

function byQueue(
  given: LimitOptions['waiting'],
  option: string,
  otherwise: number,
  checked: (limit: number, option: string) => number,
): (queue: string) => number {
  if (given === undefined) return () => otherwise
  if (typeof given === 'number') {
    const limit = checked(given, option)
    return () => limit
  }
  const limits = new Map(
    Object.entries(given).map(([queue, limit]) => [queue, checked(limit, `${option}.${queue}`)]),
  )
  return (queue) => limits.get(queue) ?? otherwise
}

export function retentionOf(options: RetentionOptions = {}): Retention {
  const { ended, endedCount, dead, deadCount, events, eventsCount } = options
  return {
    endedMs: ended === undefined ? defaultRetention.endedMs : toMs(ended, 'retention.ended'),
    endedCount: endedCount ?? defaultRetention.endedCount,
    deadMs: dead === undefined ? defaultRetention.deadMs : toMs(dead, 'retention.dead'),
    deadCount: deadCount ?? defaultRetention.deadCount,
    eventsMs: events === undefined ? defaultRetention.eventsMs : toMs(events, 'retention.events'),
    eventsCount: eventsCount ?? defaultRetention.eventsCount,
  }
}
