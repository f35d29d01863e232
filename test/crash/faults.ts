import type { TestContext } from 'vitest'
import { expect } from 'vitest'
import { broken } from '../../lab/faults/fault.ts'
import type { FaultName } from '../../lab/faults.ts'
import { runFault } from '../../lab/faults.ts'

/** Printed, so that a run can be repeated: OFFLOAD_CRASH_SEED. */
const seed = Number(process.env.OFFLOAD_CRASH_SEED ?? Date.now() % 1_000_000)

/** Runs the short form of a fault; every check of it must find nothing. */
export function survives(name: FaultName) {
  return async (context: TestContext): Promise<void> => {
    const finding = await runFault(name, { form: 'short', seed })
    if ('skipped' in finding) {
      console.warn(`NOT TESTED: ${name}: ${finding.skipped}`)
      return context.skip(finding.skipped)
    }
    const { number, fault, injected, count, found, seen } = finding
    console.log(
      `fault ${number}, ${fault} (OFFLOAD_CRASH_SEED=${seed}): ${injected}; jobs ${count.jobs}; ${seen}`,
    )
    expect(broken(found)).toEqual({})
  }
}
