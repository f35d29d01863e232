import { OffloadError, shown } from './job/errors.ts'

type Unit = 'ms' | 's' | 'm' | 'h' | 'd'

/** Milliseconds, or a number with its unit: `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${Unit}`

const UNIT_MS: Record<Unit, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A hundred years: any longer and instants get too big for a Date and for what stores hold. */
const LONGEST_MS = 36_525 * UNIT_MS.d

/** Whole milliseconds of a duration of up to a hundred years. @throws OPTION_INVALID, naming the option. */
export function toMs(duration: Duration, option: string): number {
  const ms = typeof duration === 'string' ? parse(duration) : duration
  if (typeof ms === 'number' && ms >= 0 && ms <= LONGEST_MS) return Math.round(ms)
  throw new OffloadError(
    'OPTION_INVALID',
    `${option} must be milliseconds or a duration such as "30s", of at most a hundred years, not ${shown(duration)}`,
  )
}

function parse(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? []
  return amount === undefined ? undefined : Number(amount) * UNIT_MS[unit as Unit]
}
