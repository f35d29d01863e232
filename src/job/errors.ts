/** Every code an Offload error can carry, and what it means. Each has a section in docs/reference/errors.md. */
export const errorCodes = {
  BACKEND_CORRUPT: 'The store is damaged, or is not a store of Offload.',
  BACKEND_FULL: 'The store has no room left.',
  BACKEND_NEWER: 'The store was written by a newer version of Offload.',
  BACKEND_READ_ONLY: 'The store cannot be written.',
  BACKEND_UNAVAILABLE: 'The backend did not take the call in time.',
  BODY_INVALID: 'The body of the request is no usable JSON.',
  BODY_TOO_LARGE: 'The body of the request is over the size limit.',
  CAPABILITY_MISSING: 'The chosen backend lacks a power that was asked for.',
  CLOSED: 'The queue was closed.',
  CONTENT_TYPE_UNSUPPORTED: 'The body of the request has another type than the route takes.',
  DEADLINE_PASSED: 'The job was not started before its deadline.',
  DISCARDED: 'The handler discarded the job.',
  FORBIDDEN: 'The request may not do this.',
  HANDLER_FAILED: 'The handler threw.',
  ID_INVALID: 'The id of a job is not usable.',
  ID_TAKEN: 'Somebody else has a job with this id.',
  IDEMPOTENCY_IN_USE: 'The first request with this idempotency key is still being answered.',
  IDEMPOTENCY_KEY_INVALID: 'The Idempotency-Key header cannot be read.',
  IDEMPOTENCY_KEY_MISSING: 'The route needs an Idempotency-Key header.',
  IDEMPOTENCY_MISMATCH: 'The idempotency key was used for another request.',
  INPUT_INVALID: 'The input does not fit the schema of the task.',
  ISOLATE_FAILED: 'The thread or process of an isolated handler ended before the handler did.',
  JOB_CANCELLED: 'The job was cancelled.',
  JOB_DEAD: 'The job is a dead letter.',
  JOB_ENDED: 'The job has ended already.',
  JOB_GONE: 'The job is no longer remembered.',
  JOB_NOT_FOUND: 'No job with that id is remembered.',
  JOB_TIMEOUT: 'An attempt took longer than the timeout of its task.',
  LEASE_LOST: 'The worker no longer holds the lease of the job.',
  LEDGER_REQUIRED: 'A message broker needs its ledger named.',
  LINK_INVALID: 'The link has expired, or its signature does not fit.',
  MODULE_INVALID: 'The module of tasks cannot be used.',
  MOVE_REFUSED: 'The jobs cannot be moved to the other store now.',
  NOT_IDLE: 'The queue of a test does not come to rest.',
  OPTION_INVALID: 'An option has a value that cannot be used.',
  PAYLOAD_INVALID: 'The payload holds what JSON cannot carry.',
  PAYLOAD_TOO_LARGE: 'The payload is over the size limit.',
  PAYLOAD_UNDECODABLE: 'The stored payload cannot be read back.',
  QUEUE_FULL: 'The queue takes no more jobs for now.',
  RESULT_INVALID: 'The result of the handler cannot be stored.',
  RESULT_PENDING: 'The job has not ended yet.',
  RESULT_TIMEOUT: 'The job did not end within the time that was waited.',
  SCHEDULE_NOT_FOUND: 'No schedule with that name is stored.',
  TASK_DUPLICATE: 'Two tasks have one name.',
  TASK_UNKNOWN: 'No task with that name is known here.',
  URL_UNKNOWN: 'No backend opens that URL.',
  USAGE_INVALID: 'The command line cannot be read.',
  WEBHOOK_FAILED: 'The receiver of a webhook did not take it.',
  WEBHOOK_INVALID: 'A received webhook is not genuine, or not fresh.',
  WEBHOOK_REFUSED: 'The URL of a webhook may not be called.',
  WORKER_CRASHED: 'No worker process comes to work.',
  WORKER_STOPPED: 'The worker is stopping.',
} as const

export type ErrorCode = keyof typeof errorCodes

export interface ErrorDetails {
  readonly cause?: unknown
  readonly jobId?: string
  readonly task?: string
  readonly queue?: string
  /** Where in the input the fault lies, e.g. `items[3].price`. */
  readonly path?: string
  /** The faults of an input, when there can be several: the first 100. */
  readonly issues?: readonly { readonly path: string; readonly message: string }[]
  /** Milliseconds after which another try makes sense. */
  readonly retryAfterMs?: number
}

/** The one base of every error that Offload throws. `code` is stable; the message is for people. */
export class OffloadError extends Error {
  override readonly name: string = 'OffloadError'
  readonly code: ErrorCode
  readonly jobId: string | undefined
  readonly task: string | undefined
  readonly queue: string | undefined
  readonly path: string | undefined
  readonly issues: ErrorDetails['issues']
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause })
    this.code = code
    this.jobId = details.jobId
    this.task = details.task
    this.queue = details.queue
    this.path = details.path
    this.issues = details.issues
    this.retryAfterMs = details.retryAfterMs
  }

  /** The section of the error reference on this code. */
  get docs(): string {
    return `docs/reference/errors.md#${this.code.toLowerCase()}`
  }
}

/** The queue is at its limit: answer 503 and try again after `retryAfterMs`. */
export class QueueFullError extends OffloadError {
  override readonly name = 'QueueFullError'

  /**
   * @param limit the one that was met; undefined where it is the server's own
   * @param of what the limit counts: waiting jobs, or the bytes of their payloads
   */
  constructor(queue: string, limit?: number, of: 'jobs' | 'bytes' = 'jobs') {
    super('QUEUE_FULL', `queue "${queue}" ${limit === undefined ? REFUSED : noRoom(limit, of)}`, {
      queue,
      retryAfterMs: 1000,
    })
  }
}

const REFUSED =
  'is refused by its server: it is at a limit of its own (max-length of RabbitMQ), was deleted, or is getting another leader; try again later'

function noRoom(limit: number, of: 'jobs' | 'bytes'): string {
  const [why, option] =
    of === 'jobs'
      ? [`holds its limit of ${limit} waiting jobs`, 'limits.waiting']
      : [
          `has no room for the job within its limit of ${limit} bytes of waiting payloads`,
          'limits.waitingBytes',
        ]
  return `${why}; try again later, add workers, or raise ${option}`
}

/** The input does not fit the schema; `issues` lists every failing path. */
export class InputError extends OffloadError {
  override readonly name = 'InputError'
}

/** The backend cannot take the call now. Nothing was accepted unless said otherwise. */
export class BackendError extends OffloadError {
  override readonly name = 'BackendError'
}

/** A chosen backend lacks a power; refused at start. */
export class CapabilityError extends OffloadError {
  override readonly name = 'CapabilityError'
}

/** The job ended without a result: dead or cancelled. */
export class JobEndedError extends OffloadError {
  override readonly name = 'JobEndedError'
}

/** Why a running handler's signal was aborted. */
export class AbortedError extends OffloadError {
  override readonly name = 'AbortedError'
}

/** A refused value as a message names it: short and on one line. Runs no code of the value. */
export function shown(value: unknown): string {
  if (typeof value === 'function' || (typeof value === 'object' && value !== null))
    return `a value of type ${typeof value}`
  const text = typeof value === 'string' ? JSON.stringify(value) : String(value)
  return text.length > 60 ? `${text.slice(0, 60).toWellFormed()}…` : text
}
