import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'
import type { JobContext, OnDone } from '../task.ts'
import type { Alert } from './alert.ts'

/** Each rule can be left out with `false`. */
export interface AlertOptions {
  /** The oldest job that could start has waited longer: for all queues, or by name with `'*'` for the others. @default '5m' */
  readonly backlogAge?: Duration | Readonly<Record<string, Duration>> | false
  /** A queue has dead letters; told again when there are more. @default true */
  readonly deadLetters?: boolean
  /** So large a share of the attempts of a queue failed. @default { share: 0.5, least: 20, window: '1m' } */
  readonly failures?: { readonly share?: number; readonly least?: number; readonly window?: Duration } | false
  /** Jobs could start, and no worker on any host has served their queue for so long. @default '1m' */
  readonly unserved?: Duration | false
  /** A schedule that is not paused is late by more. @default '1m' */
  readonly missedSchedule?: Duration | false
  /** Told of each alert on the worker that runs its job; what it throws is tried again. @default nobody */
  readonly tell?: (alert: Alert, job: JobContext<Alert>) => unknown
  /** Queued when an alert was told, with the alert as `result`: `webhooks().to('ops')`. @default nothing */
  readonly onDone?: OnDone | readonly OnDone[]
  /** The queue of the alerts. @default 'alerts' */
  readonly queue?: string
  /** How often the rules are looked at. @default '5s' */
  readonly every?: Duration
  /** An alert that lasts is told again after this. @default '1h' */
  readonly repeat?: Duration
}

export interface AlertPlan {
  readonly backlogAgeMs: (queue: string) => number
  readonly deadLetters: boolean
  readonly failures: { readonly share: number; readonly least: number } | undefined
  readonly windowMs: number
  readonly unservedMs: number | undefined
  readonly missedMs: number | undefined
  readonly everyMs: number
  readonly repeatMs: number
}

const BACKLOG = '5m'

/** @throws OPTION_INVALID */
export function planOf(options: AlertOptions): AlertPlan {
  const { deadLetters = true, unserved = '1m', missedSchedule = '1m', every = '5s', repeat = '1h' } = options
  const failures = options.failures === false ? undefined : { share: 0.5, least: 20, ...options.failures }
  if (failures !== undefined && !(failures.share > 0 && failures.share <= 1))
    throw new OffloadError(
      'OPTION_INVALID',
      `failures.share must be above 0 and at most 1, not ${String(failures.share)}`,
    )
  return {
    backlogAgeMs: backlogAgeOf(options.backlogAge ?? BACKLOG),
    deadLetters,
    failures,
    windowMs: toMs(failures?.window ?? '1m', 'failures.window'),
    unservedMs: unserved === false ? undefined : toMs(unserved, 'unserved'),
    missedMs: missedSchedule === false ? undefined : toMs(missedSchedule, 'missedSchedule'),
    everyMs: toMs(every, 'every'),
    repeatMs: toMs(repeat, 'repeat'),
  }
}

function backlogAgeOf(option: NonNullable<AlertOptions['backlogAge']>): (queue: string) => number {
  if (option === false) return () => Number.POSITIVE_INFINITY
  if (typeof option !== 'object') {
    const ms = toMs(option, 'backlogAge')
    return () => ms
  }
  const byQueue = new Map(
    Object.entries(option).map(([queue, age]) => [queue, toMs(age, `backlogAge.${queue}`)]),
  )
  const others = byQueue.get('*') ?? toMs(BACKLOG, 'backlogAge')
  return (queue) => byQueue.get(queue) ?? others
}
