import type { IncomingMessage, ServerResponse } from 'node:http'
import { toResponse } from '../answer.ts'
import { plainProblem, problemOf } from '../problem.ts'

/** A web-standard handler; undefined stands for "nothing here". */
export type FetchHandler = (request: Request) => Response | undefined | Promise<Response | undefined>

export interface NodeHandlerOptions {
  /** A longer request body is refused with 413. @default 1 MiB */
  readonly bodyBytes?: number
}

/** Serves a web-standard handler with node:http: `createServer(nodeHandler(handler))`. Bodies are held in memory. */
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
    const body = await readBody(req, limit)
    if (body === undefined) return toResponse(plainProblem(413, 'Content Too Large'))
    const request = toRequest(req, body, whenClosed(res))
    if (request === undefined) return toResponse(plainProblem(400, 'Bad Request'))
    return (await handler(request)) ?? toResponse(plainProblem(404, 'Not Found'))
  } catch (error) {
    return toResponse(problemOf(error))
  }
}

/** The whole body, or undefined when it is over the limit. */
async function readBody(req: IncomingMessage, limit: number): Promise<Buffer | undefined> {
  if (Number(req.headers['content-length'] ?? 0) > limit) return undefined
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of req.iterator({ destroyOnReturn: false })) {
    bytes += part.length
    if (bytes > limit) return undefined
    parts.push(part)
  }
  return Buffer.concat(parts)
}

function toRequest(req: IncomingMessage, body: Buffer, signal: AbortSignal): Request | undefined {
  try {
    const headers = new Headers()
    for (const [name, values = []] of Object.entries(req.headersDistinct)) {
      for (const value of values) headers.append(name, value)
    }
    const { method = 'GET' } = req
    const bodiless = body.length === 0 || method === 'GET' || method === 'HEAD'
    return new Request(`http://${req.headers.host ?? 'localhost'}${req.url}`, {
      method,
      headers,
      signal,
      ...(bodiless ? {} : { body: new Uint8Array(body) }),
    })
  } catch {
    return undefined
  }
}

function whenClosed(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  res.once('close', () => controller.abort())
  return controller.signal
}

async function send(response: Response, req: IncomingMessage, res: ServerResponse): Promise<void> {
  const body = Buffer.from(await response.arrayBuffer())
  res.statusCode = response.status
  for (const [name, value] of response.headers) if (name !== 'set-cookie') res.setHeader(name, value)
  const cookies = response.headers.getSetCookie()
  if (cookies.length > 0) res.setHeader('set-cookie', cookies)
  if (!req.complete) res.setHeader('connection', 'close')
  res.end(body)
}
