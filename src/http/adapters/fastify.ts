import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest, FastifySchema } from 'fastify'
import { OffloadError } from '../../job/errors.ts'
import type { AcceptedJob, AcceptOptions } from '../accept.ts'
import { answerAccepted } from '../accept.ts'
import type { Answer } from '../answer.ts'
import { bodyText, isStream } from '../answer.ts'
import { tooLarge, utf8 } from '../ask.ts'
import { bodyInvalid, DEFAULT_BODY_BYTES, typeUnsupported } from '../body.ts'
import type { IdempotencyOptions, IdempotencyRule } from '../idempotency.ts'
import { idempotencyOptions } from '../idempotency.ts'
import { plainProblem, problemOf } from '../problem.ts'
import { RouteTable } from '../route-table.ts'
import type { JobRoutesOptions, JobSource } from '../routes.ts'
import { NodeAsk, write } from './wire.ts'

declare module 'fastify' {
  interface FastifyReply {
    /**
     * Answers 202 with where to look for the job: `return reply.accepted(await queue.enqueue(…))`; or 200 with what became of
     * it, for a client that prefers to wait.
     */
    accepted(job: AcceptedJob, options?: Pick<AcceptOptions, 'retryAfter'>): FastifyReply
  }
  interface FastifyRequest {
    /**
     * What `enqueue()` needs to accept this request once: `queue.enqueue(task, input, { ...request.idempotency() })`. Undefined when
     * it has no `Idempotency-Key`. @throws IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_INVALID
     */
    idempotency(rule?: IdempotencyRule): IdempotencyOptions | undefined
  }
}

export interface OffloadFastifyOptions extends JobRoutesOptions {
  readonly queue: JobSource
}

/**
 * Adds `reply.accepted()`, `request.idempotency()`, the accept and job routes, and problem documents for Offload's own errors; other
 * errors pass through. Open event streams end when the server closes.
 */
export async function offloadFastify(app: FastifyInstance, options: OffloadFastifyOptions): Promise<void> {
  const table = new RouteTable(options.queue, withPrefix(app.prefix, options), app.prefix)

  app.decorateReply('accepted', function (this: FastifyReply, job, more) {
    const answer = answerAccepted(askOf(this.request, this), job, table.parts, more?.retryAfter)
    if (answer instanceof Promise)
      void answer.then(
        (late) => sendAnswer(this, late),
        (error) => this.send(error),
      )
    else sendAnswer(this, answer)
    return this
  })
  app.decorateRequest('idempotency', function (this: FastifyRequest, rule = 'optional') {
    const key = this.headers['idempotency-key']
    const route = `${this.method} ${pathOf(this)}`
    return idempotencyOptions(Array.isArray(key) ? key.join(', ') : key, rule, route, this.body)
  })
  app.setErrorHandler((error, request, reply) => {
    if (!(error instanceof OffloadError || error instanceof Response)) throw error
    return sendAnswer(reply, problemOf(error, pathOf(request)))
  })
  app.addHook('preClose', async () => table.close())
  await app.register(async (scope) => mount(scope, table, options.bodyBytes ?? DEFAULT_BODY_BYTES))
}

/** Fastify's own convention: the plugin adds to the instance that registers it, not to a child of it. */
Object.assign(offloadFastify, {
  [Symbol.for('skip-override')]: true,
  [Symbol.for('fastify.display-name')]: 'offload',
  [Symbol.for('plugin-meta')]: { name: 'offload', fastify: '5.x' },
})

/** Bodies are read as bytes here, and only here: what is in them is for the routes to judge. */
function mount(scope: FastifyInstance, table: RouteTable, bodyLimit: number): void {
  scope.removeAllContentTypeParsers()
  scope.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit }, (_request, body, done) =>
    done(null, body),
  )
  scope.setErrorHandler((error: FastifyError, request, reply) => {
    const status = error.statusCode ?? 500
    const answer =
      status < 500 && !isOfBody(error)
        ? plainProblem(status, error.message, undefined, pathOf(request))
        : problemOf(bodyError(error, bodyLimit, request), pathOf(request))
    return sendAnswer(reply, table.shownTo(askOf(request, reply), answer))
  })
  const handler = (request: FastifyRequest, reply: FastifyReply) => respond(table, request, reply)
  const jobs = `${table.links.base}/{id}`
  for (const [path, routes] of Map.groupBy(table.routes, (route) => route.path)) {
    if (path.startsWith(jobs)) continue
    const shared = { url: path.slice(scope.prefix.length), exposeHeadRoute: false, handler }
    for (const { method, summary } of routes)
      scope.route({ method, schema: { summary, tags: ['jobs'] } as FastifySchema, ...shared })
    const others = routes.some(({ method }) => method === 'GET') ? ['HEAD', 'OPTIONS'] : ['OPTIONS']
    scope.route({ method: others, schema: hidden, ...shared })
  }
  // Not `:id`: Fastify takes parameters of 100 characters at most, and ids may have 200.
  const url = `${table.links.base.slice(scope.prefix.length)}/*`
  scope.all(url, { schema: hidden, exposeHeadRoute: false }, handler)
}

/** What @fastify/swagger and its like leave out: the job routes stand in the document of `openapi`. */
const hidden = { hide: true } as FastifySchema

async function respond(
  table: RouteTable,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  const answer = await table.answer(askOf(request, reply))
  if (answer !== undefined) return sendAnswer(reply, answer)
  reply.callNotFound()
  return reply
}

function sendAnswer(reply: FastifyReply, answer: Answer): FastifyReply {
  if (!isStream(answer.body))
    return reply
      .code(answer.status)
      .headers(answer.headers)
      .send(bodyText(answer.body) ?? undefined)
  reply.hijack()
  write({ ...answer, headers: { ...plainHeaders(reply), ...answer.headers } }, reply.request.raw, reply.raw)
  return reply
}

/** What other plugins have set so far. */
function plainHeaders(reply: FastifyReply): Record<string, string> {
  return Object.fromEntries(Object.entries(reply.getHeaders()).map(([name, value]) => [name, String(value)]))
}

function askOf(request: FastifyRequest, reply: FastifyReply): NodeAsk {
  return new NodeAsk(request.raw, reply.raw, request.url, () =>
    utf8((request.body as Uint8Array | undefined) ?? EMPTY),
  )
}

const EMPTY = new Uint8Array()

/** Whether Fastify could not read the body. */
function isOfBody({ code }: FastifyError): boolean {
  return code?.startsWith('FST_ERR_CTP_') ?? false
}

/** The same as the routes themselves say it. */
function bodyError(error: FastifyError, bodyLimit: number, request: FastifyRequest): Error {
  if (!isOfBody(error)) return error
  if (error.statusCode === 413) return tooLarge(bodyLimit)
  if (error.statusCode === 415) return typeUnsupported(request.headers['content-type'])
  return bodyInvalid('the body is not as long as its Content-Length says')
}

function pathOf(request: FastifyRequest): string {
  return request.url.split('?', 1)[0] ?? '/'
}

function withPrefix(prefix: string, options: OffloadFastifyOptions): JobRoutesOptions {
  const { base = '/jobs', accept = {} } = options
  return {
    ...options,
    base: prefix + base,
    accept: Object.fromEntries(Object.entries(accept).map(([path, route]) => [prefix + path, route])),
  }
}
