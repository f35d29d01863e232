import { describe, test } from 'vitest'
import { survives } from './faults.ts'

describe('a message server joined with SQLite', () => {
  test('may deliver every message twice and in any order: each job is done once', survives('duplicates'))
  test('may be cut off from a worker for longer than a lease: nothing is lost', survives('partition'))
  test('behind a half-open connection is connected to anew', survives('halfOpen'))
  test('behind a slow, slicing or cutting network loses no job and ends none twice', survives('weather'))
})
