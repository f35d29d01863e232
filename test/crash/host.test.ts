import { describe, test } from 'vitest'
import { survives } from './faults.ts'

describe('a disk', () => {
  test(
    'that is full under way refuses with a code, loses nothing, and work goes on by itself when there is room',
    survives('diskFull'),
  )
  test(
    'that is read-only when processes come back refuses with a code, and work goes on by itself when it is writable',
    survives('readOnly'),
  )
  test(
    'that tears the last writes of killed processes keeps all that was acknowledged before them',
    survives('tornWrites'),
  )
  test('has every job before its acceptance is acknowledged', survives('powerCut'))
})

describe('a clock of the host', () => {
  test('that jumps to and fro by minutes and days loses no job and ends none twice', survives('hostClock'))
  test('that is set back by a day does not end leases of jobs that run', survives('setBack'))
  test(
    'that was a day ahead when a worker was killed does not keep its jobs until then',
    survives('clockAhead'),
  )
})
