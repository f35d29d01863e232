import type { Alert } from './alert.ts'
import type { Finding } from './rules.ts'

/** What is remembered of an alert while it lasts. */
export interface Standing {
  readonly alert: Alert
  readonly toldAt: number
  readonly news?: number
}

/** A number that changes again and again is told no more often than this. */
const LEAST_MS = 60_000

/**
 * What is to be told, now that a rule is met (`finding`) or no longer is: undefined for nothing. `standing` is what is
 * remembered from then on; undefined once the alert is cleared.
 */
export function turnOf(
  before: Standing | undefined,
  finding: Finding | undefined,
  at: number,
  repeatMs: number,
): { readonly alert: Alert; readonly standing: Standing | undefined } | undefined {
  if (finding === undefined) {
    if (before === undefined) return undefined
    const text = `over since ${new Date(at).toISOString()}: ${before.alert.text}`
    return { alert: { ...before.alert, state: 'cleared', at, text }, standing: undefined }
  }
  if (before !== undefined && !isToldAgain(before, finding, at, repeatMs)) return undefined
  const { rule, subject, value, limit, text, news } = finding
  const since = before?.alert.since ?? at
  const alert: Alert = {
    rule,
    subject,
    state: before === undefined ? 'raised' : 'again',
    at,
    since,
    value,
    limit,
    text,
  }
  return { alert, standing: { alert, toldAt: at, ...(news === undefined ? {} : { news }) } }
}

function isToldAgain({ toldAt, news }: Standing, finding: Finding, at: number, repeatMs: number): boolean {
  const passed = at - toldAt
  return passed >= repeatMs || (finding.news !== news && passed >= LEAST_MS)
}
