import { OffloadError } from './job/errors.ts'

type Unit = 'ms' | 's' | 'm' | 'h' | 'd'

/** Milliseconds, or a number with its unit: `'500ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = number | `${number}${Unit}`

const UNIT_MS: Record<Unit, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** Milliseconds of a duration. @throws OPTION_INVALID, naming the option. */
export function toMs(duration: Duration, option: string): number {
  if (typeof duration === 'number' && Number.isFinite(duration) && duration >= 0) return duration
  const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(String(duration)) ?? []
  if (typeof duration === 'string' && amount !== undefined) return Number(amount) * UNIT_MS[unit as Unit]
  throw new OffloadError('OPTION_INVALID', `${option} must be milliseconds or a duration such as "30s", not ${JSON.stringify(duration) ?? String(duration)}`)
}
