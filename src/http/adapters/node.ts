import type { IncomingMessage, ServerResponse } from 'node:http'
import { answerOf, toResponse } from '../answer.ts'
import { checkLength } from '../ask.ts'
import { plainProblem, problemOf } from '../problem.ts'
import { RouteTable } from '../route-table.ts'
import type { HoldsStreams, JobRoutesOptions, JobSource } from '../routes.ts'
import { bytesOf, headersOf, hostOf, NodeAsk, originForm, write } from './wire.ts'

/** Called for a request that is for someone else. */
export type Next = (error?: unknown) => void

export type NodeRoutes = HoldsStreams & ((req: IncomingMessage, res: ServerResponse, next?: Next) => void)

/** The job routes for node:http: `createServer((req, res) => routes(req, res, () => …))`. */
export function nodeRoutes(queue: JobSource, options: JobRoutesOptions = {}): NodeRoutes {
  const table = new RouteTable(queue, options)
  const routes = (req: IncomingMessage, res: ServerResponse, next?: Next): void => {
    void table.answer(new NodeAsk(req, res, req.url ?? '/'), next === undefined).then((answer) => {
      if (answer !== undefined) write(answer, req, res)
      else if (next === undefined) write(plainProblem(404, 'Not Found'), req, res)
      else next()
    })
  }
  return Object.assign(routes, { close: () => table.close() })
}

/** A web-standard handler; undefined stands for "nothing here". */
export type FetchHandler = (request: Request) => Response | undefined | Promise<Response | undefined>

export interface NodeHandlerOptions {
  /** A longer request body is refused with 413. @default 1 MiB */
  readonly bodyBytes?: number
}

/** Serves a web-standard handler with node:http: `createServer(nodeHandler(handler))`. Request bodies are held in memory. */
export function nodeHandler(
  handler: FetchHandler,
  { bodyBytes = 1_048_576 }: NodeHandlerOptions = {},
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    answer(handler, req, res, bodyBytes)
      .then((response) => send(response, req, res))
      .catch(() => res.destroy())
  }
}

async function answer(
  handler: FetchHandler,
  req: IncomingMessage,
  res: ServerResponse,
  limit: number,
): Promise<Response> {
  try {
    checkLength(req.headers['content-length'], limit)
    const body = await bytesOf(req, limit)
    const request = toRequest(req, res, body)
    if (request === undefined) return toResponse(plainProblem(400, 'Bad Request'))
    return (await handler(request)) ?? toResponse(plainProblem(404, 'Not Found'))
  } catch (error) {
    return toResponse(problemOf(error))
  }
}

function toRequest(req: IncomingMessage, res: ServerResponse, body: Uint8Array): Request | undefined {
  try {
    const { method = 'GET' } = req
    const bodiless = body.length === 0 || method === 'GET' || method === 'HEAD'
    const gone = new AbortController()
    res.once('close', () => gone.abort())
    return new Request(`http://${hostOf(req)}${originForm(req.url ?? '/')}`, {
      method,
      headers: headersOf(req),
      signal: gone.signal,
      ...(bodiless ? {} : { body: new Uint8Array(body) }),
    })
  } catch {
    return undefined
  }
}

function send(response: Response, req: IncomingMessage, res: ServerResponse): void {
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) res.setHeader('set-cookie', cookies)
  const answer = answerOf(response)
  const { 'set-cookie': _, ...headers } = answer.headers
  write({ ...answer, headers }, req, res)
}
