/** What an HTTP adapter needs to answer a request: plain data, so that no framework is named here. */
export interface Answer {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  /** An object is sent as JSON, a stream as it comes; undefined for an answer without a body. */
  readonly body: object | string | Uint8Array | Stream | undefined
}

/** A body that is written as it comes. `return()` is called when the client is gone, also while `next()` waits. */
export type Stream = AsyncIterableIterator<string | Uint8Array>

export function isStream(body: Answer['body']): body is Stream {
  return typeof body === 'object' && Symbol.asyncIterator in body
}

/** The body as it goes over the wire, unless it is a stream. */
export function bodyText(body: Exclude<Answer['body'], Stream>): string | Uint8Array | null {
  if (body === undefined) return null
  return typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body)
}

/** The answer as a web-standard response. */
export function toResponse({ status, headers, body }: Answer): Response {
  if (isStream(body)) return new Response(webStream(body), { status, headers: { ...headers } })
  const bytes = bodyText(body)
  const sized = bytes === null ? {} : { 'content-length': String(Buffer.byteLength(bytes)) }
  return new Response(bytes as string | Uint8Array<ArrayBuffer> | null, {
    status,
    headers: { ...headers, ...sized },
  })
}

/** A response that somebody made for us. @throws TypeError when it was sent before, or is the one of Response.error() */
export function answerOf(response: Response): Answer {
  if (response.type === 'error') throw new TypeError('Response.error() cannot be sent')
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    body: response.body === null ? undefined : parts(response.body),
  }
}

/** Unlike the iterator of a web stream, this one can be left while it waits. */
function parts(body: ReadableStream<Uint8Array>): Stream {
  const reader = body.getReader()
  return {
    async next() {
      const { done, value } = await reader.read()
      return done ? { done, value: undefined } : { done, value }
    },
    async return() {
      // Whoever leaves does not mind that the source has failed.
      await reader.cancel().catch(() => undefined)
      return { done: true, value: undefined }
    },
    [Symbol.asyncIterator]() {
      return this
    },
  }
}

function webStream(body: Stream): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder()
  return new ReadableStream(
    {
      async pull(controller) {
        const { done, value } = await body.next()
        if (done === true) controller.close()
        else controller.enqueue(typeof value === 'string' ? encoder.encode(value) : value)
      },
      async cancel() {
        await body.return?.()
      },
    },
    { highWaterMark: 0 },
  )
}
