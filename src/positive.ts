import { OffloadError } from './job/errors.ts'

/** @throws OPTION_INVALID */
export function positive(value: number, option: string): number {
  if (Number.isInteger(value) && value > 0) return value
  throw new OffloadError('OPTION_INVALID', `${option} must be a whole number above 0, not ${String(value)}`)
}
