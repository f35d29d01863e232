import { expect, test } from 'vitest'
import type { Claim } from '../broker.ts'
import type { Job } from '../job/job.ts'
import type { Logger } from '../log.ts'
import { silentLogger } from '../log.ts'
import type { Observer } from './observer.ts'
import { together } from './observers.ts'

const job = { id: 'a', task: 't', queue: 'q' } as Job
const claim = { job, attempt: 1 } as Claim

test('without observers there is none, and nothing is done for nobody', () => {
  expect(together([], silentLogger)).toBeUndefined()
})

test('each observer may change the job that is sent, in order', () => {
  const adding = (name: string): Observer => ({
    sending: (sent) => ({ ...sent, trace: { ...sent.trace, [name]: '1' } }),
  })
  expect(together([adding('a'), {}, adding('b')], silentLogger)?.sending?.(job).trace).toEqual({
    a: '1',
    b: '1',
  })
})

test('the run is inside of every observer, the first outermost', () => {
  const told: string[] = []
  const around = (name: string): Observer => ({
    around(_, run) {
      told.push(`${name} in`)
      const value = run()
      told.push(`${name} out`)
      return value
    },
  })
  expect(together([around('a'), around('b')], silentLogger)?.around?.(claim, () => told.push('run'))).toBe(3)
  expect(told).toEqual(['a in', 'b in', 'run', 'b out', 'a out'])
})

test('an observer that throws before or after the run neither skips it nor runs it twice, and is logged once', () => {
  const errors: string[] = []
  const logger: Logger = { ...silentLogger, error: (_, message) => void errors.push(message) }
  let runs = 0
  const before: Observer = {
    around: () => {
      throw new Error('before')
    },
  }
  const after: Observer = {
    around(_, run) {
      run()
      throw new Error('after')
    },
  }
  const all = together([before, after], logger)
  for (let nth = 1; nth <= 2; nth++) expect(all?.around?.(claim, () => ++runs)).toBe(nth)
  expect(errors).toHaveLength(2)
})

test('an observer that throws does not keep the others from being told', () => {
  const told: string[] = []
  const broken: Observer = {
    close: () => {
      throw new Error('broken')
    },
  }
  together([broken, { close: () => void told.push('closed') }], silentLogger)?.close?.()
  expect(told).toEqual(['closed'])
})
