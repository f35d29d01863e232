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
    around: () => (run) => {
      told.push(`${name} in`)
      run()
      told.push(`${name} out`)
    },
  })
  const nothing: Observer = { around: () => undefined }
  together([around('a'), nothing, around('b')], silentLogger)?.around?.(claim)?.(() => told.push('run'))
  expect(told).toEqual(['a in', 'b in', 'run', 'b out', 'a out'])
})

test('a run that no observer wants to be around of is inside of nothing', () => {
  const nothing: Observer = { around: () => undefined }
  expect(together([nothing, nothing], silentLogger)?.around?.(claim)).toBeUndefined()
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
    around: () => (run) => {
      run()
      throw new Error('after')
    },
  }
  const within: Observer = {
    around: () => () => {
      throw new Error('within')
    },
  }
  const all = together([before, after, within], logger)
  for (let nth = 1; nth <= 2; nth++) {
    all?.around?.(claim)?.(() => ++runs)
    expect(runs).toBe(nth)
  }
  expect(errors).toHaveLength(3)
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
