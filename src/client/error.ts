import type { ErrorCode } from '../job/errors.ts'

/** The codes of the server, and two of the way there: no answer, and an answer that Offload did not give. */
export type ClientErrorCode = ErrorCode | 'NETWORK_FAILED' | 'HTTP_FAILED'

/** An RFC 9457 problem document, as far as it is known here. */
export interface ClientProblem {
  readonly type?: string
  readonly title?: string
  readonly status?: number
  readonly detail?: string
  readonly code?: string
  /** Each fault of an input. */
  readonly errors?: readonly { readonly path: string; readonly detail: string }[]
}

export interface ClientErrorDetails {
  readonly status?: number | undefined
  readonly errors?: ClientProblem['errors']
  readonly retryAfterMs?: number | undefined
  readonly cause?: unknown
}

/** The one error of the client. `code` is stable; `message` and `detail` are for people. */
export class OffloadClientError extends Error {
  override readonly name: string = 'OffloadClientError'
  /** A newer server may send codes that are not known here. */
  readonly code: ClientErrorCode | (string & {})
  readonly detail: string
  /** The HTTP status; undefined when there was no answer. */
  readonly status: number | undefined
  /** Each fault of an input. */
  readonly errors: ClientProblem['errors']
  /** Milliseconds after which another try makes sense, where the server said so. */
  readonly retryAfterMs: number | undefined

  /** `cause` of a dead job is the problem of its last attempt. */
  constructor(code: ClientErrorCode | (string & {}), detail: string, more: ClientErrorDetails = {}) {
    super(detail, more.cause === undefined ? undefined : { cause: more.cause })
    this.code = code
    this.detail = detail
    this.status = more.status
    this.errors = more.errors
    this.retryAfterMs = more.retryAfterMs
  }
}

/** What an answer says went wrong: its problem document, or its status alone. */
export async function errorOf(response: Response): Promise<OffloadClientError> {
  const { code, detail, title, errors } = problemIn(await response.text())
  const { status, headers } = response
  return new OffloadClientError(code ?? 'HTTP_FAILED', detail ?? title ?? `the server answered ${status}`, {
    status,
    errors,
    retryAfterMs: retryAfterMs(headers.get('retry-after'), Date.now()),
  })
}

function problemIn(text: string): ClientProblem {
  try {
    return JSON.parse(text) ?? {}
  } catch {
    return {}
  }
}

/** Seconds, or a date (RFC 9110, section 10.2.3), from now. */
export function retryAfterMs(header: string | null, now: number): number | undefined {
  if (header === null) return undefined
  const ms = /^\d+$/.test(header) ? Number(header) * 1000 : Date.parse(header) - now
  return Number.isNaN(ms) ? undefined : Math.max(0, ms)
}
