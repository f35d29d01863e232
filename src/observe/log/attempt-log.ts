import type { Clock } from '../../clock.ts'
import type { Logger, LogLevel } from '../../log.ts'
import { positive } from '../../positive.ts'
import type { AttemptOutcome, EndedAttempt, Observer } from '../observer.ts'
import { LineLimit } from './line-limit.ts'

export interface LogOptions {
  /** The level of an attempt that ended well. @default 'info' */
  readonly done?: 'debug' | 'info'
  /** Lines of a level in a second: one line then tells how many were left out. @default 100 */
  readonly most?: number
}

const MOST = 100

/** The level of a line, by the outcome. */
const levels: Readonly<Record<AttemptOutcome, LogLevel>> = {
  done: 'info',
  snooze: 'info',
  release: 'info',
  cancelled: 'info',
  retry: 'warn',
  lost: 'warn',
  dead: 'error',
}

/**
 * Writes one line for each end of an attempt. It holds no payload, no result and no message of an error: what these say, and whether it
 * is secret, nobody here knows. @throws OPTION_INVALID
 */
export function attemptLog(
  logger: Logger,
  clock: Clock,
  { done = 'info', most = MOST }: LogOptions = {},
): Observer {
  const limit = positive(most, 'log.most')
  const limits = new Map<LogLevel, LineLimit>()
  const limitOf = (level: LogLevel): LineLimit => {
    const made = new LineLimit(limit, clock, (leftOut) =>
      logger[level](
        { leftOut },
        `${leftOut} more attempts ended in this second and have no line of their own`,
      ),
    )
    limits.set(level, made)
    return made
  }
  return {
    ended(told) {
      const level = told.outcome === 'done' ? done : levels[told.outcome]
      if (logger.isLevelEnabled?.(level) === false) return
      if ((limits.get(level) ?? limitOf(level)).allows()) logger[level](fieldsOf(told), messageOf(told))
    },
    close() {
      for (const one of limits.values()) one.end()
    },
  }
}

function fieldsOf({ claim, outcome, fault, waitMs, runMs }: EndedAttempt): object {
  const { job, attempt } = claim
  return {
    task: job.task,
    queue: job.queue,
    jobId: job.id,
    attempt,
    ...(waitMs === null ? {} : { waitMs: rounded(waitMs) }),
    runMs: rounded(runMs),
    outcome,
    ...(fault === undefined ? {} : { code: fault.code }),
  }
}

const messages: Readonly<Record<AttemptOutcome, string>> = {
  done: 'the job is done',
  snooze: 'the job is put off',
  release: 'the job is given back',
  cancelled: 'the job is cancelled',
  retry: 'the attempt failed, and another one follows',
  lost: 'the lease was lost: the job runs again elsewhere',
  dead: 'the job is a dead letter',
}

function messageOf({ outcome }: EndedAttempt): string {
  return messages[outcome]
}

function rounded(ms: number): number {
  return Math.round(ms * 100) / 100
}
