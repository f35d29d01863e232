import { randomFillSync } from 'node:crypto'
import { idMaker } from '../../job/id.ts'
import type { Job } from '../../job/job.ts'

/** What anybody may have written: each value is of its type and within its bounds, or undefined. */

/** How often a job is tried that does not say it. */
export const MAX_ATTEMPTS = 5

const USABLE_ID = /^[A-Za-z0-9][A-Za-z0-9._:~@-]{0,199}$/
/** The last millisecond of the year 9999. */
const LAST_INSTANT = 253_402_300_799_999
/** Characters of a trace, names and all. */
const LONGEST_TRACE = 2048

const utf8 = new TextDecoder('utf-8', { fatal: true })
const makeId = idMaker((into) => void randomFillSync(into))

/** For a job whose own cannot be used. */
export const newId = (): string => makeId(Date.now())

export function usableId(value: unknown): string | undefined {
  return typeof value === 'string' && USABLE_ID.test(value) ? value : undefined
}

export function whole(value: unknown, from = 0, to: number = Number.MAX_SAFE_INTEGER): number | undefined {
  return Number.isInteger(value) && (value as number) >= from && (value as number) <= to
    ? (value as number)
    : undefined
}

/** Milliseconds since the epoch, as far as a Date is written with four digits for the year. */
export function instant(value: unknown): number | undefined {
  return whole(value, 0, LAST_INSTANT)
}

/** Text without control characters. */
export function readable(value: unknown, longest: number): string | undefined {
  const found = text(value, longest)
  return found === undefined || /\p{Cc}/u.test(found) ? undefined : found
}

export function text(value: unknown, longest: number): string | undefined {
  return typeof value === 'string' && value.length > 0 && value.length <= longest && value.isWellFormed()
    ? value
    : undefined
}

export type Entries = readonly (readonly [name: string, value: unknown])[]

/** What a job may have besides. */
interface Wishes {
  readonly key: unknown
  readonly tenant: unknown
  readonly runAt: unknown
  readonly deadline: unknown
  readonly trace: Entries | undefined
}

/** The job itself, with what of these can be used. */
export function jobWith(job: Job, wishes: Wishes): Job {
  const made: { -readonly [Member in keyof Job]: Job[Member] } = job
  const key = readable(wishes.key, 200)
  const tenant = text(wishes.tenant, 200)
  const runAt = instant(wishes.runAt)
  const deadline = instant(wishes.deadline)
  const trace = wishes.trace && traceOf(wishes.trace)
  if (key !== undefined) made.key = key
  if (tenant !== undefined) made.tenant = tenant
  if (runAt !== undefined) made.runAt = runAt
  if (deadline !== undefined) made.deadline = deadline
  if (trace !== undefined) made.trace = trace
  return made
}

/** Those that are text, as long as there is room for them in a trace. */
function traceOf(entries: Entries): Job['trace'] {
  let left = LONGEST_TRACE
  const trace = entries.filter(([name, value]) => {
    const length = typeof value === 'string' ? name.length + value.length : Number.POSITIVE_INFINITY
    if (length <= left) left -= length
    else return false
    return true
  })
  return trace.length === 0 ? undefined : Object.fromEntries(trace as [string, string][])
}

/** What is no UTF-8 is kept in base64, with what makes it no JSON: some base64 is. */
export function payloadOf(content: Buffer): { payload: string; malformed: string | undefined } {
  try {
    return { payload: utf8.decode(content), malformed: undefined }
  } catch {
    return {
      payload: `base64:${content.toString('base64')}`,
      malformed: 'the body is not UTF-8; it is kept in base64',
    }
  }
}

/** A member that is there or not. */
export function optional<Name extends string, Value>(
  name: Name,
  value: Value | undefined,
): { [name in Name]?: Value } {
  return value === undefined ? {} : ({ [name]: value } as { [name in Name]: Value })
}
