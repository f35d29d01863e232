import type { Amount } from '../broker.ts'

/** Which limit of its queue a job of so many bytes would break, beside what waits; undefined where there is room for it. */
export function limitMet(waiting: Amount, bytes: number, limit: Amount): keyof Amount | undefined {
  if (waiting.jobs >= limit.jobs) return 'jobs'
  return waiting.bytes + bytes > limit.bytes ? 'bytes' : undefined
}
