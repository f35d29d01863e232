import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Answer, Stream } from '../answer.ts'
import { bodyText, isStream } from '../answer.ts'
import type { Ask } from '../ask.ts'
import { checkLength, tooLarge, utf8 } from '../ask.ts'

/** A request of node:http as the routes read it. What few routes need is made when it is asked for. */
export class NodeAsk implements Ask {
  readonly method: string
  readonly path: string
  readonly #req: IncomingMessage
  readonly #res: ServerResponse
  readonly #search: string
  readonly #readText: (limit: number) => string | Promise<string>
  #query: URLSearchParams | undefined
  #signal: AbortSignal | undefined
  #request: Request | undefined

  /** @param url as it was sent. @param readText for servers that have read the body already */
  constructor(
    req: IncomingMessage,
    res: ServerResponse,
    url: string,
    readText: (limit: number) => string | Promise<string> = (limit) => textOf(req, limit),
  ) {
    const target = originForm(url)
    const cut = target.indexOf('?')
    this.method = req.method ?? 'GET'
    this.path = cut === -1 ? target : target.slice(0, cut)
    this.#search = cut === -1 ? '' : target.slice(cut + 1)
    this.#req = req
    this.#res = res
    this.#readText = readText
  }

  get query(): URLSearchParams {
    this.#query ??= new URLSearchParams(this.#search)
    return this.#query
  }

  header(name: string): string | undefined {
    const value = this.#req.headers[name]
    return Array.isArray(value) ? value.join(', ') : value
  }

  text(limit: number): string | Promise<string> {
    return this.#readText(limit)
  }

  get signal(): AbortSignal {
    this.#signal ??= whenClosed(this.#res)
    return this.#signal
  }

  get request(): Request {
    this.#request ??= requestOf(this.#req, this.path, this.#search, this.signal)
    return this.#request
  }
}

/** A request line may have the whole URL (RFC 9112, section 3.2.2). A fragment has no place there. */
export function originForm(url: string): string {
  if (url.startsWith('/') && !url.includes('#')) return url
  const rest = url.replace(/^https?:\/\/[^/?#]*/i, '').split('#', 1)[0] ?? ''
  return rest.startsWith('?') || rest === '' ? `/${rest}` : rest
}

function whenClosed(res: ServerResponse): AbortSignal {
  const controller = new AbortController()
  if (res.closed) controller.abort()
  else res.once('close', () => controller.abort())
  return controller.signal
}

/** Without the body, which is read by the routes. */
function requestOf(req: IncomingMessage, path: string, search: string, signal: AbortSignal): Request {
  const headers = headersOf(req)
  const url = new URL(`http://${hostOf(req)}`)
  url.pathname = path
  url.search = search
  return new Request(url, { method: req.method ?? 'GET', headers, signal })
}

export function headersOf(req: IncomingMessage): Headers {
  const headers = new Headers()
  for (const [name, value = []] of Object.entries(req.headers))
    for (const one of [value].flat()) headers.append(name, one)
  return headers
}

/** What a client says of the host is not trusted to be one. */
export function hostOf(req: IncomingMessage): string {
  const host = req.headers.host ?? ''
  return URL.canParse(`http://${host}`) && /^[\w.:[\]-]+$/.test(host) ? host : 'localhost'
}

async function textOf(req: IncomingMessage, limit: number): Promise<string> {
  checkLength(req.headers['content-length'], limit)
  return utf8(await bytesOf(req, limit))
}

/** The whole body. @throws BODY_TOO_LARGE */
export async function bytesOf(req: IncomingMessage, limit: number): Promise<Uint8Array> {
  const parts: Buffer[] = []
  let bytes = 0
  for await (const part of req.iterator({ destroyOnReturn: false })) {
    bytes += part.length
    if (bytes > limit) throw tooLarge(limit)
    parts.push(part)
  }
  return parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts)
}

/** Writes an answer. A body that was not read through ends the connection, so that nobody waits for the rest of it. */
export function write({ status, headers, body }: Answer, req: IncomingMessage, res: ServerResponse): void {
  // Somebody else has answered, such as a timeout.
  if (res.headersSent) {
    if (isStream(body)) void body.return?.()
    return
  }
  if (!req.complete && !isBodiless(req)) res.shouldKeepAlive = false
  if (isStream(body)) {
    res.writeHead(status, headers)
    void pour(body, res)
    return
  }
  const bytes = bodyText(body)
  res.writeHead(status, bytes === null ? headers : { ...headers, 'content-length': Buffer.byteLength(bytes) })
  res.end(bytes ?? undefined)
}

function isBodiless({ headers }: IncomingMessage): boolean {
  return headers['content-length'] === undefined && headers['transfer-encoding'] === undefined
}

/** A client that takes nothing of what it asked for in this time is gone. */
const STALLED_MS = 60_000

/** Takes the next part when the client has taken the one before. */
async function pour(body: Stream, res: ServerResponse): Promise<void> {
  const leave = (): void => void body.return?.()
  if (res.closed) return leave()
  res.once('close', leave)
  res.flushHeaders()
  try {
    for await (const part of body) {
      if (res.closed) break
      if (!res.write(part)) await drained(res)
    }
    res.end()
  } catch {
    res.destroy()
  }
}

function drained(res: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    if (res.closed) return resolve()
    const stalled = setTimeout(() => res.destroy(), STALLED_MS).unref()
    const go = (): void => {
      clearTimeout(stalled)
      res.off('drain', go)
      res.off('close', go)
      resolve()
    }
    res.once('drain', go)
    res.once('close', go)
  })
}
