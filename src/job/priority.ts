import { OffloadError, shown } from './errors.ts'

/** The AMQP and JMS scale: 0 to 9, higher first, 4 is normal. */
export const NORMAL_PRIORITY = 4

/** One level of priority is worth this much waiting, so that no job starves for ever. */
export const AGING_MS = 300_000

/** The place in line: the lowest goes first. Urgent jobs go ahead until the others have aged. */
export function rank(acceptedAt: number, priority: number): number {
  return acceptedAt - priority * AGING_MS
}

/** @throws OPTION_INVALID unless `value` is a whole number from 0 to 9. */
export function checkPriority(value: number): number {
  if (Number.isInteger(value) && value >= 0 && value <= 9) return value
  throw new OffloadError(
    'OPTION_INVALID',
    `priority must be a whole number from 0 to 9 (9 is most urgent), not ${shown(value)}`,
  )
}
