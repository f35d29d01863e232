import type { Finding } from './finding.ts'
import { ok, warn, wrong } from './finding.ts'

const LEAST_NODE: readonly [major: number, minor: number] = [22, 22]

export function nodeFinding(version: string): Finding {
  const [major = 0, minor = 0] = version.replace(/^v/, '').split('.').map(Number)
  const [leastMajor, leastMinor] = LEAST_NODE
  if (major > leastMajor || (major === leastMajor && minor >= leastMinor)) return ok('node', version)
  return wrong('node', version, `install Node ${LEAST_NODE.join('.')} or later`)
}

const FIRST_YEAR = 2025
const LAST_YEAR = 2100
const DRIFT_MS = 500

/** Delays, leases and retention go by the clock of the host. `steadyMs` is how long the same time took by a clock that nobody sets. */
export function clockFinding(startMs: number, endMs: number, steadyMs: number): Finding {
  const now = new Date(endMs)
  const year = now.getUTCFullYear()
  if (!(year >= FIRST_YEAR && year <= LAST_YEAR))
    return wrong(
      'clock',
      `the year is ${Number.isNaN(year) ? 'unknown' : year}`,
      'set the clock of this host (NTP)',
    )
  const driftMs = Math.round(endMs - startMs - steadyMs)
  if (Math.abs(driftMs) > DRIFT_MS)
    return warn(
      'clock',
      `it was moved by ${driftMs} ms while this looked`,
      'let NTP slew the clock instead of stepping it: leases and delays go by it',
    )
  return ok('clock', now.toISOString())
}
