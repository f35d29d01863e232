import { STATUS_CODES } from 'node:http'
import type { ErrorCode } from '../job/errors.ts'
import { BackendError, errorCodes, OffloadError } from '../job/errors.ts'
import type { Answer } from './answer.ts'
import { answerOf, toResponse } from './answer.ts'

/** An RFC 9457 problem document. `code` is the stable code of the error, where it has one. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly instance?: string
  readonly code?: ErrorCode
  /** The same request may succeed later: after `Retry-After`. */
  readonly retryable?: boolean
  /** The faults of an input: the first 100. */
  readonly errors?: readonly { readonly path: string; readonly detail: string }[]
}

/** The errors that a client can do something about, or come back after; every other is a 500 that says nothing. */
export const statusOf: Partial<Record<ErrorCode, number>> = {
  BODY_INVALID: 400,
  BODY_TOO_LARGE: 413,
  CLOSED: 503,
  CONTENT_TYPE_UNSUPPORTED: 415,
  FORBIDDEN: 403,
  IDEMPOTENCY_IN_USE: 409,
  IDEMPOTENCY_KEY_INVALID: 400,
  IDEMPOTENCY_KEY_MISSING: 400,
  IDEMPOTENCY_MISMATCH: 422,
  ID_INVALID: 400,
  ID_TAKEN: 409,
  INPUT_INVALID: 422,
  JOB_CANCELLED: 409,
  JOB_DEAD: 409,
  JOB_ENDED: 409,
  JOB_GONE: 410,
  JOB_NOT_FOUND: 404,
  LINK_INVALID: 403,
  OPTION_INVALID: 400,
  PAYLOAD_INVALID: 422,
  PAYLOAD_TOO_LARGE: 413,
  QUEUE_FULL: 503,
  RESULT_PENDING: 409,
  WEBHOOK_INVALID: 401,
  WEBHOOK_REFUSED: 422,
}

const RETRY_AFTER_SECONDS = 5

/**
 * The problem document that tells a client of this error. A client's mistake is explained; of a failure on this side
 * only its kind is told, never a message, a cause or a stack. A thrown `Response` is the answer.
 */
export function problemOf(error: unknown, instance?: string): Answer {
  if (error instanceof Response) return isSendable(error) ? answerOf(error) : refusalOf(error)
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
      retryable: error.retryAfterMs !== undefined || status === 503,
      ...(issues === undefined || issues.length === 0 ? {} : { errors: issues }),
    },
    status === 503 || error.retryAfterMs !== undefined
      ? { 'retry-after': retryAfter(error.retryAfterMs) }
      : {},
  )
}

/** A hook may throw one and the same response at each request: its body can be read once. */
function isSendable({ type, body, bodyUsed }: Response): boolean {
  return type !== 'error' && !bodyUsed && body?.locked !== true
}

/** What a response that a hook threw says without its body: the status, and headers such as `WWW-Authenticate`. */
export function refusalOf(response: Response): Answer & { readonly body: Problem } {
  const status = response.status === 0 ? 500 : response.status
  if (response.body?.locked === false) void response.body.cancel().catch(() => undefined)
  const { headers, body } = plainProblem(status, STATUS_CODES[status] ?? 'Refused')
  const own = [...response.headers].filter(([name]) => !name.startsWith('content-'))
  return { status, headers: { ...Object.fromEntries(own), ...headers }, body }
}

/** An error as a web-standard response: a problem document. */
export function problemResponse(error: unknown, instance?: string): Response {
  return toResponse(problemOf(error, instance))
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
