import type { IncomingMessage, RequestOptions } from 'node:http'
import http from 'node:http'
import https from 'node:https'
import type { LookupFunction } from 'node:net'
import { isIP } from 'node:net'
import type { Clock } from '../../clock.ts'
import { OffloadError } from '../../job/errors.ts'
import type { Allow } from './url.ts'
import { checkAddress, hostOf } from './url.ts'

/** Answers every address of a host name. */
export type Lookup = (hostname: string) => Promise<readonly { readonly address: string }[]>

/** How requests go out. */
export interface Guard {
  readonly allow: Allow | undefined
  readonly lookup: Lookup
  readonly timeoutMs: number
  readonly clock: Clock
}

export interface Outgoing {
  readonly method: 'POST' | 'OPTIONS'
  /** As checkUrl() answers it. */
  readonly url: URL
  readonly headers: Readonly<Record<string, string>>
  readonly body?: Buffer
}

export interface Received {
  readonly status: number
  header(name: string): string | undefined
  /** The beginning, at most 64 kB. */
  readonly body: Buffer
}

const MAX_ANSWER = 65_536
const MAX_HEADERS = 16_384

/**
 * Sends one request and follows nothing. The host is looked up once, every address it has must be allowed, and only
 * those very addresses are connected to: what DNS says later does not matter. No proxy, no kept connection.
 * @throws WEBHOOK_REFUSED, WEBHOOK_FAILED, or the reason of `signal`
 */
export async function send(outgoing: Outgoing, guard: Guard, signal: AbortSignal): Promise<Received> {
  const late = new AbortController()
  const cancel = guard.clock.after(guard.timeoutMs, () => late.abort())
  const either = AbortSignal.any([signal, late.signal])
  try {
    const addresses = await addressesOf(outgoing.url, guard, either)
    return await request(outgoing, addresses, either)
  } catch (error) {
    if (signal.aborted) throw signal.reason
    if (error instanceof OffloadError) throw error
    const origin = outgoing.url.origin
    throw late.signal.aborted
      ? failed(`${origin} did not answer within ${guard.timeoutMs} ms`)
      : failed(`${origin} cannot be reached: ${codeOf(error)}`)
  } finally {
    cancel()
    late.abort() // whatever still hangs on the request ends with it
  }
}

export function failed(message: string, retryAfterMs?: number): OffloadError {
  return new OffloadError('WEBHOOK_FAILED', message, retryAfterMs === undefined ? {} : { retryAfterMs })
}

function codeOf(error: unknown): string {
  const { code, message } = error as { code?: unknown; message?: unknown }
  return String(code ?? message).slice(0, 200)
}

async function addressesOf(url: URL, guard: Guard, signal: AbortSignal): Promise<readonly string[]> {
  const host = hostOf(url)
  const found =
    isIP(host) === 0 ? (await orAbort(guard.lookup(host), signal)).map(({ address }) => address) : [host]
  if (found.length === 0) throw failed(`${url.origin} cannot be reached: ENOTFOUND`)
  for (const address of found) checkAddress(address, url, guard.allow)
  return found
}

/** A look-up cannot be called off; its answer is not waited for. */
function orAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
    work.then(resolve, reject)
  })
}

function request(
  { method, url, headers, body }: Outgoing,
  addresses: readonly string[],
  signal: AbortSignal,
): Promise<Received> {
  const isTls = url.protocol === 'https:'
  const host = hostOf(url)
  const options: RequestOptions & https.RequestOptions = {
    method,
    protocol: url.protocol,
    host,
    port: url.port === '' ? (isTls ? 443 : 80) : url.port,
    path: `${url.pathname}${url.search}`,
    headers: { ...headers, host: url.host, 'content-length': body?.length ?? 0 },
    lookup: onlyThese(addresses),
    ...(isTls && isIP(host) === 0 ? { servername: host } : {}),
    agent: new (isTls ? https : http).Agent({ keepAlive: false, maxCachedSessions: 0 }),
    maxHeaderSize: MAX_HEADERS,
    signal,
  }
  return new Promise((resolve, reject) => {
    const sent = (isTls ? https : http).request(options, (answer) => {
      sent.off('error', reject).on('error', () => {}) // it has answered: how the connection ends does not matter
      void beginningOf(answer).then((beginning) => resolve(receivedOf(answer, beginning)))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

function onlyThese(addresses: readonly string[]): LookupFunction {
  const all = addresses.map((address) => ({ address, family: isIP(address) }))
  return (_hostname, { all: wantsAll }, callback) => {
    const [first = { address: '', family: 0 }] = all
    if (wantsAll === true) callback(null, all)
    else callback(null, first.address, first.family)
  }
}

/** What came of the body until it ended, broke off, was called off or grew too long. The connection is closed after it. */
async function beginningOf(answer: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let length = 0
  try {
    for await (const chunk of answer as AsyncIterable<Buffer>) {
      chunks.push(chunk)
      length += chunk.length
      if (length >= MAX_ANSWER) break
    }
  } catch {
    // the status is known: what is missing of the body does not matter
  }
  answer.destroy()
  return Buffer.concat(chunks).subarray(0, MAX_ANSWER)
}

function receivedOf(answer: IncomingMessage, body: Buffer): Received {
  return {
    status: answer.statusCode ?? 0,
    header: (name) => {
      const value = answer.headers[name]
      return Array.isArray(value) ? value.join(', ') : value
    },
    body,
  }
}
