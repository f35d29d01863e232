import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { OffloadError } from '../../job/errors.ts'
import type { AcceptedJob, AcceptOptions } from '../accept.ts'
import { acceptedAnswer, DEFAULT_BASE } from '../accept.ts'
import type { Answer } from '../answer.ts'
import { bodyText } from '../answer.ts'
import { problemOf } from '../problem.ts'
import type { JobRoutesOptions } from '../routes.ts'
import { jobRoutes } from '../routes.ts'
import type { JobSource } from '../status.ts'

declare module 'fastify' {
  interface FastifyReply {
    /** Answers 202 with where to look for the job: `return reply.accepted(await queue.enqueue(…))`. */
    accepted(job: AcceptedJob, options?: Pick<AcceptOptions, 'retryAfter'>): FastifyReply
  }
}

export interface OffloadFastifyOptions extends JobRoutesOptions {
  readonly queue: JobSource
}

/** Adds `reply.accepted()`, the job routes, and problem documents for Offload's own errors; other errors pass through. */
export async function offloadFastify(app: FastifyInstance, options: OffloadFastifyOptions): Promise<void> {
  const path = options.base ?? DEFAULT_BASE
  const base = `${app.prefix}${path}`
  const routes = jobRoutes(options.queue, { ...options, base })

  app.decorateReply('accepted', function (this: FastifyReply, job, more) {
    return sendAnswer(this, acceptedAnswer(job, { ...more, base }))
  })
  app.setErrorHandler((error, _request, reply) => {
    if (!(error instanceof OffloadError)) throw error
    return sendAnswer(reply, problemOf(error))
  })
  app.all(`${path}/*`, async (request, reply) => {
    const response = await routes(toRequest(request))
    if (response === undefined) return reply.callNotFound()
    for (const [name, value] of response.headers) reply.header(name, value)
    return reply.code(response.status).send(await response.text())
  })
}

/** Fastify's own convention: the plugin adds to the instance that registers it, not to a child of it. */
Object.assign(offloadFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'offload',
  [Symbol.for('plugin-meta')]: { name: 'offload', fastify: '5.x' },
})

function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  return reply
    .code(answer.status)
    .headers({ ...answer.headers })
    .send(bodyText(answer))
}

/** No body: the job routes read none. */
function toRequest(request: FastifyRequest): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    if (value !== undefined) headers.set(name, Array.isArray(value) ? value.join(', ') : value)
  }
  return new Request(new URL(request.url, 'http://localhost'), { method: request.method, headers })
}
