import { describe, test } from 'vitest'
import { survives } from './faults.ts'

describe('dead after its attempts, with the rest of the queue done, is a job that every time', () => {
  test('kills its worker', survives('poisonKills'))
  test('exits the process of its worker', survives('poisonExits'))
  test('takes all memory of its worker', survives('poisonTakesMemory'))
  test('holds the event loop for three leases', survives('poisonBlocks'))
  test('never ends', survives('poisonHangs'))
})
