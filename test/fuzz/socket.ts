import { connect } from 'node:net'

/** What is written to the server, byte by byte. */
export interface RawRequest {
  readonly port: number
  readonly bytes: Uint8Array
  /** Whether the client ends its side after it has written all. */
  readonly endsEarly: boolean
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

/** The first answer to what was written; undefined when the server closed without one. Rejects when nothing comes at all. */
export function exchange(
  { port, bytes, endsEarly }: RawRequest,
  patienceMs = 8000,
): Promise<RawAnswer | undefined> {
  return new Promise((resolve, reject) => {
    const received: Buffer[] = []
    const socket = connect(port, '127.0.0.1')
    const leave = (): void => {
      clearTimeout(patience)
      socket.destroy()
    }
    const patience = setTimeout(() => {
      leave()
      reject(new Error(`no answer in ${patienceMs} ms, only ${Buffer.concat(received).toString('latin1')}`))
    }, patienceMs)
    const finish = (): void => {
      leave()
      resolve(answerIn(Buffer.concat(received), true))
    }
    socket.on('data', (part) => {
      received.push(part)
      const answer = answerIn(Buffer.concat(received), false)
      if (answer === undefined) return
      leave()
      resolve(answer)
    })
    socket.on('close', finish)
    socket.on('error', finish)
    socket.write(bytes)
    if (endsEarly) socket.end()
  })
}

/** The first whole answer; a stream of events counts from its first part on. */
function answerIn(received: Buffer, isClosed: boolean): RawAnswer | undefined {
  const text = received.toString('latin1')
  const headEnd = text.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const [first = '', ...lines] = text.slice(0, headEnd).split('\r\n')
  const status = Number(first.split(' ')[1])
  const rest = received.subarray(headEnd + 4)
  if (status < 200) return answerIn(rest, isClosed)
  const headers = new Headers(
    lines.map((line) => [line.split(':', 1)[0] ?? '', line.slice(line.indexOf(':') + 1)]),
  )
  const body = bodyIn(rest, status, headers)
  if (body === undefined && !isClosed) return undefined
  return { status, headers, body: (body ?? rest).toString('utf8') }
}

function bodyIn(rest: Buffer, status: number, headers: Headers): Buffer | undefined {
  if (status === 204 || status === 304) return Buffer.alloc(0)
  if (headers.get('content-type') === 'text/event-stream') return rest.length > 0 ? rest : undefined
  const length = headers.get('content-length')
  if (length !== null) return rest.length >= Number(length) ? rest.subarray(0, Number(length)) : undefined
  return headers.get('transfer-encoding') === 'chunked' ? unchunked(rest) : undefined
}

function unchunked(rest: Buffer): Buffer | undefined {
  const parts: Buffer[] = []
  for (let at = 0; ; ) {
    const lineEnd = rest.indexOf('\r\n', at)
    if (lineEnd === -1) return undefined
    const size = Number.parseInt(rest.toString('latin1', at, lineEnd), 16)
    if (size === 0) return Buffer.concat(parts)
    if (rest.length < lineEnd + 2 + size) return undefined
    parts.push(rest.subarray(lineEnd + 2, lineEnd + 2 + size))
    at = lineEnd + 2 + size + 2
  }
}
