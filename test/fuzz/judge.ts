import type { Documented } from '../documented.ts'
import type { FuzzRequest } from './requests.ts'
import type { RawAnswer } from './socket.ts'
import type { Written } from './written.ts'

/** What is wrong with an answer; undefined when nothing is. */
export function faultOf(
  server: string,
  request: FuzzRequest,
  { target }: Written,
  answer: RawAnswer | undefined,
  documented: Documented,
): string | undefined {
  if (answer === undefined)
    return isBroken(request) ? undefined : 'the connection was closed without an answer'
  const { status } = answer
  if (status >= 500) return `a ${status}: ${answer.body}`
  if (isRefusedBefore(server, request, target, answer)) return undefined
  const path = pathOf(server, target)
  if (documented.operation(request.method, path) === undefined)
    return status >= 400 || status === 204 ? undefined : `a ${status} where there is no operation`
  return documented.fault({ ...answer, method: request.method, path })
}

/** What is no HTTP is for node:http to refuse. */
function isBroken({ framing, body }: FuzzRequest): boolean {
  return body !== undefined && framing !== 'whole' && framing !== 'chunked'
}

/** Whether node:http or the framework refused the request before the routes were asked. */
function isRefusedBefore(
  server: string,
  request: FuzzRequest,
  target: string,
  { status, headers, body }: RawAnswer,
): boolean {
  const header = (name: string): string | undefined => request.headers.find(([one]) => one === name)?.[1]
  const isOfNode = status === 400 && (body === '' || body.includes('"Client Error"'))
  if (isOfNode || (isBroken(request) && status === 400)) return true
  if (status === 431) return true
  if (status === 417) return header('expect') !== undefined
  const type = headers.get('content-type') ?? ''
  if (server === 'Fastify' && status === 400 && body.includes('FST_ERR_BAD_URL'))
    return !isDecodable(target) || target.includes('#')
  if (
    server === 'Fastify' &&
    pathOf(server, target).endsWith('/cancel') &&
    type.startsWith('application/problem+json')
  )
    if ([400, 413, 415].includes(status)) return true
  if (server.endsWith('json()') && type.startsWith('text/html')) return [400, 413, 415].includes(status)
  return false
}

function isDecodable(target: string): boolean {
  try {
    decodeURIComponent(target.split('?', 1)[0] ?? '')
    return true
  } catch {
    return false
  }
}

/** Hono is asked by web-standard requests, whose URLs are normalised. */
function pathOf(server: string, target: string): string {
  const [path = ''] = target.replace(/^https?:\/\/[^/?]*/i, '').split(/[?#]/, 1)
  if (server !== 'Hono') return path
  return URL.canParse(`http://x${path}`) ? new URL(`http://x${path}`).pathname : path
}
