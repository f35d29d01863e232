import { expect, test } from 'vitest'
import type { Claim } from '../../broker.ts'
import type { Job } from '../../job/job.ts'
import type { Logger, LogLevel } from '../../log.ts'
import { VirtualClock } from '../../testing/virtual-clock.ts'
import type { AttemptOutcome, EndedAttempt } from '../observer.ts'
import { attemptLog } from './attempt-log.ts'

type Line = [level: LogLevel, fields: object, message: string]

function recorder(levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error']) {
  const lines: Line[] = []
  const at = (level: LogLevel) => (fields: object, message: string) =>
    void lines.push([level, fields, message])
  const logger: Logger = {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    isLevelEnabled: (level) => levels.includes(level),
  }
  return { lines, logger }
}

const claim = { job: { id: 'j', task: 't', queue: 'q' } as Job, attempt: 1 } as Claim
const ended = (outcome: AttemptOutcome, more: Partial<EndedAttempt> = {}): EndedAttempt => ({
  claim,
  outcome,
  waitMs: 12.3456,
  runMs: 1,
  settleMs: 0,
  ...more,
})

test('each end of an attempt is one line of its level, with what it was and how long it took', () => {
  const { lines, logger } = recorder()
  const log = attemptLog(logger, new VirtualClock())
  const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'hunter2', attempt: 1, at: 0 }
  log.ended?.(ended('done'))
  log.ended?.(ended('retry', { fault, waitMs: null }))
  log.ended?.(ended('lost'))
  log.ended?.(ended('dead', { fault }))
  const about = { task: 't', queue: 'q', jobId: 'j', attempt: 1, runMs: 1 }
  expect(lines).toEqual([
    ['info', { ...about, waitMs: 12.35, outcome: 'done' }, 'the job is done'],
    [
      'warn',
      { ...about, outcome: 'retry', code: 'HANDLER_FAILED' },
      'the attempt failed, and another one follows',
    ],
    ['warn', { ...about, waitMs: 12.35, outcome: 'lost' }, expect.stringContaining('lease was lost')],
    [
      'error',
      { ...about, waitMs: 12.35, outcome: 'dead', code: 'HANDLER_FAILED' },
      'the job is a dead letter',
    ],
  ])
})

test('of a level so many lines are written in a second; then one tells how many were left out', async () => {
  const { lines, logger } = recorder()
  const clock = new VirtualClock()
  const log = attemptLog(logger, clock, { most: 2, done: 'debug' })
  for (let n = 0; n < 1000; n++) log.ended?.(ended('done'))
  log.ended?.(ended('dead'))
  expect(lines.map(([level]) => level)).toEqual(['debug', 'debug', 'error'])
  await clock.advance(1000)
  expect(lines.slice(3)).toEqual([['debug', { leftOut: 998 }, expect.stringContaining('998 more')]])
  log.ended?.(ended('done'))
  expect(lines).toHaveLength(5)
  await clock.advance(1000)
  expect(lines).toHaveLength(5)
})

test('what was left out when the queue closes is told then', () => {
  const { lines, logger } = recorder()
  const log = attemptLog(logger, new VirtualClock(), { most: 1 })
  for (let n = 0; n < 3; n++) log.ended?.(ended('done'))
  log.close?.()
  expect(lines.at(-1)).toEqual(['info', { leftOut: 2 }, expect.any(String)])
})

test('of a level that is not written no line is made', () => {
  const { lines, logger } = recorder(['warn', 'error'])
  const log = attemptLog(logger, new VirtualClock())
  const untouched = new Proxy({} as EndedAttempt, {
    get: (_, name) => {
      if (name === 'outcome') return 'done'
      throw new Error(`${String(name)} was read`)
    },
  })
  expect(() => log.ended?.(untouched)).not.toThrow()
  expect(lines).toEqual([])
})

test('a limit that is none is refused', () => {
  expect(() => attemptLog(recorder().logger, new VirtualClock(), { most: 0 })).toThrow(
    expect.objectContaining({ code: 'OPTION_INVALID' }),
  )
})
