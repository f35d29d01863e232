import { arriving } from './arriving.ts'
import type { ConformanceCase } from './case.ts'
import { counting } from './counting.ts'
import { documents } from './documents.ts'
import { filling } from './filling.ts'
import { following } from './following.ts'
import { lasting } from './lasting.ts'
import { model } from './model.ts'
import { moving } from './moving.ts'
import { publishing } from './publishing.ts'
import { steering } from './steering.ts'
import { strangers } from './strangers.ts'
import { watching } from './watching.ts'

/** What every backend must do, as data: run each with `runCase` in the test framework of your choice. */
export const conformanceCases: readonly ConformanceCase[] = [
  ...moving,
  ...lasting,
  ...steering,
  ...strangers,
  ...[
    ...filling,
    ...counting,
    ...watching,
    ...documents,
    ...following,
    ...arriving,
    ...publishing,
    ...model,
  ].map(aboutLedgers),
]

function aboutLedgers(one: ConformanceCase): ConformanceCase {
  return { ...one, needsLedger: true }
}
