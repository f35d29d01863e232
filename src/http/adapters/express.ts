import type { NextFunction, Request, Response } from 'express'
import { OffloadError } from '../../job/errors.ts'
import type { AcceptedJob, AcceptOptions } from '../accept.ts'
import { answerAccepted } from '../accept.ts'
import type { Answer } from '../answer.ts'
import { utf8 } from '../ask.ts'
import { bodyInvalid } from '../body.ts'
import type { IdempotencyOptions, IdempotencyRule } from '../idempotency.ts'
import { idempotencyOptions } from '../idempotency.ts'
import { problemOf } from '../problem.ts'
import { RouteTable } from '../route-table.ts'
import type { HoldsStreams, JobRoutesOptions, JobSource } from '../routes.ts'
import { NodeAsk, write } from './wire.ts'

declare global {
  namespace Express {
    interface Response {
      /**
       * Answers 202 with where to look for the job: `res.accepted(await queue.enqueue(…))`; or 200 with what became of it,
       * for a client that prefers to wait.
       */
      accepted(job: AcceptedJob, options?: Pick<AcceptOptions, 'retryAfter'>): void
    }
    interface Request {
      /**
       * What `enqueue()` needs to accept this request once: `queue.enqueue(task, input, { ...req.idempotency() })`. Undefined when it
       * has no `Idempotency-Key`. @throws IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_INVALID
       */
      idempotency(rule?: IdempotencyRule): IdempotencyOptions | undefined
    }
  }
}

export type ExpressMiddleware = HoldsStreams & ((req: Request, res: Response, next: NextFunction) => void)

/**
 * Adds `res.accepted()`, `req.idempotency()` and the routes to Express 5: `app.use(offloadExpress(queue))`, before or after
 * `express.json()`. Paths are those of the whole application, wherever it is mounted.
 */
export function offloadExpress(queue: JobSource, options: JobRoutesOptions = {}): ExpressMiddleware {
  const table = new RouteTable(queue, options)
  const middleware = (req: Request, res: Response, next: NextFunction): void => {
    const ask = askOf(req, res)
    res.accepted = (job, more) => {
      const answer = answerAccepted(ask, job, table.parts, more?.retryAfter)
      if (answer instanceof Promise) void answer.then((late) => send(late, req, res), next)
      else send(answer, req, res)
    }
    req.idempotency = (rule = 'optional') => {
      return idempotencyOptions(req.get('idempotency-key'), rule, `${req.method} ${ask.path}`, req.body)
    }
    table.answer(ask).then((answer) => (answer === undefined ? next() : send(answer, req, res)), next)
  }
  return Object.assign(middleware, { close: () => table.close() })
}

/** Answers Offload's own errors with problem documents; others pass: `app.use(offloadErrors)`, after the routes. */
export function offloadErrors(error: unknown, req: Request, res: Response, next: NextFunction): void {
  const isOurs = error instanceof OffloadError || error instanceof globalThis.Response
  if (!isOurs || res.headersSent) next(error)
  else send(problemOf(error, req.originalUrl.split('?', 1)[0]), req, res)
}

function send(answer: Answer, req: Request, res: Response): void {
  write(answer, req, res)
}

/** JSON has no infinite numbers: `1e999` was one before it was parsed. @throws BODY_INVALID */
function refuseInfinity(_key: string, value: unknown): unknown {
  if (typeof value !== 'number' || Number.isFinite(value)) return value
  throw new OffloadError('BODY_INVALID', 'the body has a number that is too large')
}

/** `express.json()` or `express.raw()` may have read the body before: what they made of it is read again as text. */
function askOf(req: Request, res: Response): NodeAsk {
  const body: unknown = req.body
  const wasRead = req.readableDidRead && body !== undefined
  return wasRead
    ? new NodeAsk(req, res, req.originalUrl, () => (body instanceof Uint8Array ? utf8(body) : jsonOf(body)))
    : new NodeAsk(req, res, req.originalUrl)
}

/** Far deeper nesting can be read than written. @throws BODY_INVALID */
function jsonOf(body: unknown): string {
  try {
    return JSON.stringify(body, refuseInfinity)
  } catch (error) {
    throw error instanceof OffloadError ? error : bodyInvalid('the body has too many levels of nesting')
  }
}
