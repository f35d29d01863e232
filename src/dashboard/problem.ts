import type { Answer } from '../http/answer.ts'
import { problemOf, problemType } from '../http/problem.ts'
import type { ErrorCode } from '../job/errors.ts'
import { errorCodes, OffloadError } from '../job/errors.ts'

/** What only operators meet, and can do something about. */
const own: Partial<Record<ErrorCode, number>> = {
  CAPABILITY_MISSING: 501,
  SCHEDULE_NOT_FOUND: 404,
  TASK_UNKNOWN: 422,
}

/** The problem document for an error, as the job routes tell it. */
export function problemFor(error: unknown, instance: string): Answer {
  const status = error instanceof OffloadError ? own[error.code] : undefined
  if (!(error instanceof OffloadError) || status === undefined) return problemOf(error, instance)
  const { code, message } = error
  const body = { type: problemType(code), title: errorCodes[code], status, detail: message, instance, code }
  return { status, headers: { 'content-type': 'application/problem+json' }, body }
}
