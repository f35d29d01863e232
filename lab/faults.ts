import { table } from '../benchmarks/lib/figures.ts'
import { seeded } from '../src/testing/least-power-broker.ts'
import { clockAhead, hostClock, ownClocks, setBack } from './faults/clock.ts'
import { diskFull, readOnly } from './faults/disk.ts'
import type { Fault, Finding, Setting } from './faults/fault.ts'
import { broken, Impossible } from './faults/fault.ts'
import { lateEnd, lateThrow } from './faults/lease.ts'
import { littleMemory, noFiles } from './faults/limits.ts'
import { outage, slowConsumer, timers } from './faults/load.ts'
import { duplicates, halfOpen, partition, weather } from './faults/network.ts'
import { keyHolders } from './faults/order.ts'
import { poisoned } from './faults/poison.ts'
import { powerCut } from './faults/power.ts'
import { tornWrites } from './faults/torn.ts'

/** Every fault of one host that the storm does not bring, in the order of the project's list. */
export const faults = {
  poisonKills: poisoned('kill'),
  lateEnd,
  lateThrow,
  poisonBlocks: poisoned('block'),
  poisonHangs: poisoned('hang'),
  poisonTakesMemory: poisoned('memory'),
  littleMemory,
  poisonExits: poisoned('exit'),
  weather,
  halfOpen,
  partition,
  diskFull,
  readOnly,
  tornWrites,
  powerCut,
  hostClock,
  setBack,
  clockAhead,
  ownClocks,
  duplicates,
  slowConsumer,
  outage,
  timers,
  keyHolders,
  noFiles,
} as const satisfies Record<string, Fault>

export type FaultName = keyof typeof faults

/** Which cannot be injected on this machine, and why. */
export interface Skipped {
  readonly fault: FaultName
  readonly skipped: string
}

export async function runFault(
  name: FaultName,
  setting: Omit<Setting, 'random'> & { readonly seed: number },
): Promise<Finding | Skipped> {
  const fault: Fault = faults[name]
  try {
    return await fault({ ...setting, random: seeded(setting.seed) })
  } catch (error) {
    if (error instanceof Impossible) return { fault: name, skipped: error.message }
    throw error
  }
}

/** A row a fault. */
export function faultTable(findings: readonly (Finding | Skipped)[]): string {
  const head = [
    '#',
    'fault',
    'injected by',
    'jobs',
    'lost',
    'finished twice',
    'stuck',
    'other checks',
    'seen',
  ]
  return table(head, findings.map(row))
}

function row(finding: Finding | Skipped): string[] {
  if ('skipped' in finding) return ['', finding.fault, `not here: ${finding.skipped}`, '', '', '', '', '', '']
  const { number, fault, injected, count, found, seen } = finding
  const others = Object.entries(found)
    .filter(([name]) => !['lost', 'finishedTwice', 'stuck'].includes(name))
    .map(([name, wrong]) => `${name} ${wrong.length}`)
  return [
    number,
    fault,
    injected,
    String(count.jobs),
    String(count.lost.length),
    String(count.finishedTwice.length),
    count.stuck ? 'yes' : '0',
    others.join(', '),
    seen,
  ]
}

export function isBroken(finding: Finding | Skipped): boolean {
  return !('skipped' in finding) && Object.keys(broken(finding.found)).length > 0
}
