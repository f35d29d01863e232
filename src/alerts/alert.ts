import type { StandardSchemaV1 } from '@standard-schema/spec'

export type AlertRule = 'backlogAge' | 'deadLetters' | 'failures' | 'unserved' | 'missedSchedule'

/** Something that a person should know. Times are milliseconds since the epoch. */
export interface Alert {
  readonly rule: AlertRule
  /** The queue, or the schedule. */
  readonly subject: string
  /** `again`: it lasts, or has become more. */
  readonly state: 'raised' | 'again' | 'cleared'
  readonly at: number
  /** When it was raised. */
  readonly since: number
  /** What was measured: ms, jobs or a share, as the rule has it. */
  readonly value: number
  readonly limit: number
  /** One sentence. */
  readonly text: string
}

const STATES: ReadonlySet<unknown> = new Set(['raised', 'again', 'cleared'])

/** The input of the task that tells of alerts. */
export const alertInput: StandardSchemaV1<Alert, Alert> = {
  '~standard': {
    version: 1,
    vendor: 'offload',
    validate: (value) => (isAlert(value) ? { value } : { issues: [{ message: 'this is no alert' }] }),
  },
}

export function isAlert(value: unknown): value is Alert {
  if (typeof value !== 'object' || value === null) return false
  const { rule, subject, state, since, text } = value as Partial<Alert>
  const areTexts = [rule, subject, text].every((one) => typeof one === 'string')
  return areTexts && STATES.has(state) && typeof since === 'number'
}
