import type { ErrorCode } from '../job/errors.ts'
import { BackendError, errorCodes, OffloadError } from '../job/errors.ts'
import type { Answer } from './answer.ts'

/** An RFC 9457 problem document. `code` is the stable code of the error, where it has one. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly instance?: string
  readonly code?: ErrorCode
  /** Each fault of an input. */
  readonly errors?: readonly { readonly path: string; readonly detail: string }[]
}

const statusOf: Partial<Record<ErrorCode, number>> = {
  INPUT_INVALID: 422,
  PAYLOAD_INVALID: 422,
  PAYLOAD_TOO_LARGE: 413,
  JOB_NOT_FOUND: 404,
  ID_INVALID: 400,
  WEBHOOK_INVALID: 401,
  WEBHOOK_REFUSED: 422,
  OPTION_INVALID: 400,
  QUEUE_FULL: 503,
  CLOSED: 503,
}

const RETRY_AFTER_SECONDS = 5

/**
 * The problem document that tells a client of this error. A client's mistake is explained; of a failure on this side
 * only its kind is told, never a message, a cause or a stack.
 */
export function problemOf(error: unknown, instance?: string): Answer & { readonly body: Problem } {
  if (!(error instanceof OffloadError)) return plainProblem(500, 'Internal Server Error', undefined, instance)
  const status = error instanceof BackendError ? 503 : (statusOf[error.code] ?? 500)
  if (status === 500) return plainProblem(500, 'Internal Server Error', undefined, instance)
  const issues = error.issues?.map(({ path, message }) => ({ path, detail: message }))
  return problem(
    {
      type: problemType(error.code),
      title: errorCodes[error.code],
      status,
      ...(status === 503 ? {} : { detail: error.message }),
      ...(instance === undefined ? {} : { instance }),
      code: error.code,
      ...(issues === undefined || issues.length === 0 ? {} : { errors: issues }),
    },
    status === 503 ? { 'retry-after': retryAfter(error.retryAfterMs) } : {},
  )
}

/** A problem of HTTP itself, which needs no type of its own. */
export function plainProblem(
  status: number,
  title: string,
  detail?: string,
  instance?: string,
): Answer & { readonly body: Problem } {
  return problem({
    type: 'about:blank',
    title,
    status,
    ...(detail === undefined ? {} : { detail }),
    ...(instance === undefined ? {} : { instance }),
  })
}

/** The `type` of problems with this code: a name, not an address. */
export function problemType(code: string): string {
  return `urn:offload:error:${code.toLowerCase().replaceAll('_', '-')}`
}

function problem(
  body: Problem,
  headers: Readonly<Record<string, string>> = {},
): Answer & { readonly body: Problem } {
  return {
    status: body.status,
    headers: { 'content-type': 'application/problem+json', 'cache-control': 'no-store', ...headers },
    body,
  }
}

function retryAfter(ms: number | undefined): string {
  return String(ms === undefined ? RETRY_AFTER_SECONDS : Math.max(1, Math.ceil(ms / 1000)))
}
