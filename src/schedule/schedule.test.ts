import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { task } from '../task.ts'
import { checkSchedules, schedule } from './schedule.ts'

const work = task('work', { input: z.object({ n: z.number() }), run() {} })
const input = { n: 1 }

const refused = (make: () => unknown, ...words: string[]): void => {
  let error: unknown
  try {
    make()
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'OPTION_INVALID' })
  for (const word of words) expect((error as Error).message).toContain(word)
}

describe('a schedule', () => {
  test('has defaults for all but its name, task, input and time', () => {
    expect(schedule('nightly', { task: work, input, cron: '0 3 * * *' })).toMatchObject({
      name: 'nightly',
      timing: { cron: '0 3 * * *', timeZone: 'UTC' },
      catchUp: 'one',
      overlap: 'allow',
      priority: undefined,
      key: undefined,
      paused: false,
    })
    expect(schedule('often', { task: work, input, every: '15m' }).timing).toEqual({ everyMs: 900_000 })
  })

  test.each(['', '-a', 'a b', 'a@b', 'x'.repeat(121), '../x', 5 as unknown as string])(
    'is refused with the name %s',
    (name) => refused(() => schedule(name, { task: work, input, every: '1s' }), 'schedule name'),
  )

  test('is refused without a time, with two, and with a time zone that means nothing', () => {
    refused(() => schedule('s', { task: work, input }), 'either cron', 'or every')
    refused(() => schedule('s', { task: work, input, every: '1s', cron: '* * * * *' }), 'either cron')
    refused(() => schedule('s', { task: work, input, every: '1s', timeZone: 'UTC' }), 'timeZone', 'cron')
  })

  test('is refused with what cannot be used, and says what fits', () => {
    const make = (more: object) => () => schedule('s', { task: work, input, every: '1s', ...more })
    refused(make({ every: 0 }), 'every', '10 ms')
    refused(make({ every: '9ms' }), 'every', '10 ms')
    refused(make({ every: Number.NaN }), 'every')
    refused(make({ every: 'soon' }), 'every')
    for (const catchUp of ['all', null, {}, { all: 0 }, { all: 1001 }, { all: 1.5 }, { all: '3' }])
      refused(make({ catchUp }), 'catchUp of schedule "s"', '1 to 1000')
    for (const overlap of ['queue', null, true]) refused(make({ overlap }), 'overlap', '"wait"')
    refused(make({ priority: 10 }), 'priority')
    refused(make({ key: '' }), 'key')
    refused(make({ paused: 'yes' }), 'paused', 'true or false')
    refused(make({ task: { name: 'fake' } }), 'task')
    refused(() => schedule('s', undefined as never), 'task')
  })

  test('must be made by schedule(), named once, with a task of the queue', () => {
    const one = schedule('s', { task: work, input, every: '1s' })
    const tasks = new Map([['work', work]])
    expect(checkSchedules([one], tasks)).toEqual([one])
    refused(() => checkSchedules([one, one], tasks), 'two schedules', '"s"')
    refused(() => checkSchedules([{ name: 's' } as never], tasks), 'made by schedule')
    expect(() => checkSchedules([one], new Map())).toThrow(expect.objectContaining({ code: 'TASK_UNKNOWN' }))
  })
})
