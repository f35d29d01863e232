import type { IncomingMessage, ServerResponse } from 'node:http'
import { NodeAsk, write } from '../http/adapters/wire.ts'
import { tooLarge, utf8 } from '../http/ask.ts'
import { bodyInvalid } from '../http/body.ts'
import { plainProblem } from '../http/problem.ts'
import type { Routes } from './routes.ts'

/** A request of node:http, or of a framework on top of it that has read the body, or cut the path, before. */
interface NodeRequest extends IncomingMessage {
  readonly originalUrl?: string
  readonly body?: unknown
}

/** For node:http and Express. Called without `next`, what is for someone else is answered with 404. */
export type NodeDashboard = (req: NodeRequest, res: ServerResponse, next?: (error?: unknown) => void) => void

/** For Hono. */
export type HonoDashboard = (
  context: { readonly req: { readonly raw: Request } },
  next: () => Promise<void>,
) => Promise<Response | undefined>

/** What of Fastify is needed to answer below one path. */
export interface FastifyScope {
  readonly prefix: string
  removeAllContentTypeParsers(): void
  addContentTypeParser(
    type: string,
    options: { parseAs: 'buffer'; bodyLimit: number },
    parse: (request: unknown, body: Buffer, done: (error: Error | null, body?: unknown) => void) => void,
  ): unknown
  all(url: string, handler: (request: FastifyRequestLike, reply: FastifyReplyLike) => void): unknown
  addHook(name: 'preClose', hook: () => Promise<void>): unknown
}

interface FastifyRequestLike {
  readonly raw: IncomingMessage
  readonly url: string
  readonly body: unknown
}

interface FastifyReplyLike {
  readonly raw: ServerResponse
  hijack(): unknown
  getHeaders(): Readonly<Record<string, unknown>>
}

/** For Fastify: `app.register(dashboard(...).fastify)`. */
export type FastifyDashboard = (app: FastifyScope) => Promise<void>

const BODY_BYTES = 1_048_576

export function nodeDashboard(routes: Routes): NodeDashboard {
  return (req, res, next) => {
    const ask = askOf(req, res)
    void routes.answer(ask).then((answer) => {
      if (answer !== undefined) write(answer, req, res)
      else if (next === undefined) write(plainProblem(404, 'Not Found'), req, res)
      else next()
    })
  }
}

/** `express.json()` may have read the body before: what it made of it is read again as text. */
function askOf(req: NodeRequest, res: ServerResponse): NodeAsk {
  const url = req.originalUrl ?? req.url ?? '/'
  const { body } = req
  if (!req.readableDidRead || body === undefined) return new NodeAsk(req, res, url)
  return new NodeAsk(req, res, url, (limit) => {
    const text = body instanceof Uint8Array ? utf8(body) : JSON.stringify(body)
    if (Buffer.byteLength(text) > limit) throw tooLarge(limit)
    return text
  })
}

export function fastifyDashboard(routes: Routes): FastifyDashboard {
  return async (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: BODY_BYTES }, (_, body, done) =>
      done(null, body),
    )
    app.addHook('preClose', async () => routes.close())
    const { prefix } = app
    const handler = (request: FastifyRequestLike, reply: FastifyReplyLike): void => {
      const { body, raw, url } = request
      const ask = new NodeAsk(raw, reply.raw, url, () => utf8(bytesOf(body)))
      reply.hijack()
      void routes.answer(ask, ask.path.slice(prefix.length)).then((answer) => {
        const { headers, ...rest } = answer ?? plainProblem(404, 'Not Found')
        write({ ...rest, headers: { ...textsOf(reply.getHeaders()), ...headers } }, raw, reply.raw)
      })
    }
    for (const url of [routes.base, `${routes.base}/*`]) app.all(url, handler)
  }
}

function bytesOf(body: unknown): Uint8Array {
  if (body === undefined || body === null) return new Uint8Array()
  if (body instanceof Uint8Array) return body
  throw bodyInvalid('the body was read by somebody else')
}

/** What other plugins have set so far. */
function textsOf(headers: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))
}
