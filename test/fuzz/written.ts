import type { FuzzRequest } from './requests.ts'

/** What goes over the wire for a request. */
export interface Written {
  /** As it stands in the request line. */
  readonly target: string
  readonly bytes: Uint8Array
  /** A body that was cut off ends with the client's side of the connection. */
  readonly endsEarly: boolean
}

export function written(request: FuzzRequest, jobs: readonly string[]): Written {
  const { id, method, headers, body, framing } = request
  const known = 'known' in id ? jobs[id.known % Math.max(1, jobs.length)] : id.text
  const target = lineSafe(request.target.replace('{id}', () => known ?? 'none').replaceAll(' ', '%20'))
  const isHosted = headers.some(([name]) => name === 'host')
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(isHosted ? [] : ['host: 127.0.0.1']),
    'connection: close',
    ...headers.map(([name, value]) => `${name}: ${lineSafe(value)}`),
    ...(body === undefined ? [] : delimiters(framing, body.length)),
    '',
    '',
  ]
  const head = Buffer.from(lines.join('\r\n'), 'latin1')
  const sent =
    body === undefined
      ? []
      : framing === 'whole' || framing === 'longer' || framing === 'shorter'
        ? [body]
        : chunks(body, framing)
  return {
    target,
    bytes: Buffer.concat([head, ...sent]),
    endsEarly: framing === 'longer' && body !== undefined,
  }
}

function delimiters(framing: FuzzRequest['framing'], length: number): string[] {
  switch (framing) {
    case 'whole':
      return [`content-length: ${length}`]
    case 'longer':
      return [`content-length: ${length + 7}`]
    case 'shorter':
      return [`content-length: ${Math.max(0, length - 3)}`]
    case 'both':
      return [`content-length: ${length}`, 'transfer-encoding: chunked']
    default:
      return ['transfer-encoding: chunked']
  }
}

function chunks(body: Uint8Array, framing: FuzzRequest['framing']): Uint8Array[] {
  const half = Math.ceil(body.length / 2)
  const parts = [body.subarray(0, half), body.subarray(half)].filter((part) => part.length > 0)
  const size = (part: Uint8Array): string => (framing === 'bad chunk' ? 'zz' : part.length.toString(16))
  return [
    ...parts.flatMap((part) => [Buffer.from(`${size(part)};x=y\r\n`), part, Buffer.from('\r\n')]),
    Buffer.from('0\r\n\r\n'),
  ]
}

/** One line, in bytes: UTF-8 where Latin-1 has no room. */
function lineSafe(text: string): string {
  const bytes = Buffer.from(text.toWellFormed()).filter((byte) => byte >= 0x20 && byte !== 0x7f)
  return Buffer.from(bytes).toString('latin1')
}
