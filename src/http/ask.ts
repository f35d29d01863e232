import { OffloadError } from '../job/errors.ts'

/** A request as the routes read it: plain data, so that no framework is named here and a fast server builds no `Request`. */
export interface Ask {
  readonly method: string
  /** As it was sent, without the query. */
  readonly path: string
  readonly query: URLSearchParams
  /** The value of a header by its name in lower case; several are joined by ", ". */
  header(name: string): string | undefined
  /** The body as text. @throws BODY_TOO_LARGE when it has more than `limit` bytes, BODY_INVALID when it is no UTF-8 */
  text(limit: number): string | Promise<string>
  /** Aborts when the client is gone. */
  readonly signal: AbortSignal
  /** The same as a web-standard request, for the hooks of a user. Its body may have been read. */
  readonly request: Request
}

/** A web-standard request as the routes read it. */
export function askOf(request: Request): Ask {
  const { pathname, searchParams } = new URL(request.url)
  return {
    method: request.method,
    path: pathname,
    query: searchParams,
    header: (name) => request.headers.get(name) ?? undefined,
    text: (limit) => textOf(request, limit),
    signal: request.signal,
    request,
  }
}

async function textOf(request: Request, limit: number): Promise<string> {
  checkLength(request.headers.get('content-length'), limit)
  if (request.body === null) return ''
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of request.body) {
    bytes += part.length
    if (bytes > limit) throw tooLarge(limit)
    parts.push(part)
  }
  return utf8(Buffer.concat(parts))
}

/** Refuses what says of itself that it is too long, before it is read. */
export function checkLength(contentLength: string | null | undefined, limit: number): void {
  if (Number(contentLength ?? 0) > limit) throw tooLarge(limit)
}

export function tooLarge(limit: number): OffloadError {
  return new OffloadError('BODY_TOO_LARGE', `the body is longer than the ${limit} bytes that are taken here`)
}

const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws BODY_INVALID */
export function utf8(bytes: Uint8Array): string {
  try {
    return decoder.decode(bytes)
  } catch {
    throw new OffloadError('BODY_INVALID', 'the body is no UTF-8 text')
  }
}
