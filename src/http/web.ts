import { toMs } from '../duration.ts'
import type { AcceptedJob, AcceptOptions, Waits } from './accept.ts'
import { answerAccepted, DEFAULT_BASE, DEFAULT_MAX_WAIT } from './accept.ts'
import { toResponse } from './answer.ts'
import { askOf } from './ask.ts'
import type { IdempotencyOptions, IdempotencyRule } from './idempotency.ts'
import { idempotencyOptions } from './idempotency.ts'
import { LinkMaker } from './links.ts'

/** `accepted()` for a client that may prefer to wait (`Prefer: wait=5`): 202, or 200 with what became of the job. */
export async function acceptedFor(
  request: Request,
  job: AcceptedJob,
  queue: Waits,
  { base = DEFAULT_BASE, links, origin, retryAfter }: AcceptOptions = {},
): Promise<Response> {
  const maker = new LinkMaker(base, links, origin)
  const parts = { queue, links: maker, maxWaitMs: toMs(DEFAULT_MAX_WAIT, 'maxWait') }
  return toResponse(await answerAccepted(askOf(request), job, parts, retryAfter))
}

/**
 * What `enqueue()` needs to accept a request once: `queue.enqueue(task, input, { ...idempotency(request, body) })`. Undefined when it
 * has no `Idempotency-Key`. The key counts for one method and path. @throws IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_INVALID
 */
export function idempotency(
  request: Request,
  body: unknown,
  rule: IdempotencyRule = 'optional',
): IdempotencyOptions | undefined {
  const route = `${request.method} ${new URL(request.url).pathname}`
  return idempotencyOptions(request.headers.get('idempotency-key') ?? undefined, rule, route, body)
}
