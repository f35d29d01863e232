import type { Reading } from './reading.ts'

export interface Plan {
  readonly min: number
  readonly max: number
  /** Jobs that one worker runs at once. */
  readonly slots: number
  /** No job is to wait longer for its start. */
  readonly targetAgeMs: number
}

/**
 * Why so many workers: `steady` nothing to change · `backlog` what waits and arrives takes more · `age` the oldest job waits
 * too long · `spare` fewer do · `linger` fewer would do, but not for long enough yet · `idle` nothing is ready, running or due ·
 * `failures` too many attempts fail · `downstream` more workers did not end more jobs · `host` this host is full ·
 * `blind` nothing could be read · `fallback` for so long that a fixed number is taken · `limit` more than `max` would be needed
 */
export type Reason =
  | 'steady'
  | 'backlog'
  | 'age'
  | 'spare'
  | 'linger'
  | 'idle'
  | 'failures'
  | 'downstream'
  | 'host'
  | 'blind'
  | 'fallback'
  | 'limit'

export interface Decision {
  readonly workers: number
  readonly reason: Reason
  /** One sentence with the figures. */
  readonly text: string
}

/** What the policy keeps from one decision to the next: plain data. */
export interface Memory {
  readonly workers: number | undefined
}

/** Before the first decision. */
export const noMemory: Memory = { workers: undefined }

/** How many workers there should be. `reading` undefined: it could not be taken. */
export function decide(
  plan: Plan,
  memory: Memory,
  reading: Reading | undefined,
): { decision: Decision; memory: Memory } {
  const before = memory.workers ?? reading?.workers ?? plan.min
  if (reading === undefined || reading.ready === null)
    return answer(plan, before, 'blind', `nothing could be read: it stays at ${before} workers`)
  const open = reading.ready + (reading.running ?? 0)
  const needed = Math.ceil(open / plan.slots)
  if (needed > before) return answer(plan, needed, 'backlog', `${open} jobs take ${needed} workers`)
  if (needed === before) return answer(plan, needed, 'steady', `${open} jobs take the ${before} workers`)
  return answer(plan, needed, open === 0 ? 'idle' : 'spare', `${open} jobs take ${needed} workers`)
}

function answer(
  plan: Plan,
  wanted: number,
  reason: Reason,
  text: string,
): { decision: Decision; memory: Memory } {
  const workers = Math.min(plan.max, Math.max(plan.min, wanted))
  return { decision: { workers, reason, text }, memory: { workers } }
}
