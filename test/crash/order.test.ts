import { test } from 'vitest'
import { survives } from './faults.ts'

test(
  'jobs of a key never overlap and never change places when their workers are killed',
  survives('keyHolders'),
)
