import { timingSafeEqual, verify as verifyEd25519 } from 'node:crypto'
import { OffloadError } from '../../job/errors.ts'
import { decode } from '../../job/payload.ts'
import type { Key } from './sign.ts'
import { hmac, keysOf, signedText } from './sign.ts'

/** The headers of a request: of the web (`Headers`), of Node (`request.headers`), or any record of them. */
export type ReceivedHeaders =
  | { get(name: string): string | null }
  | Readonly<Record<string, string | readonly string[] | undefined>>

export interface VerifyOptions {
  /** How far the clocks of sender and receiver may be apart, and how old a repeated request may be. @default 300 */
  readonly toleranceSeconds?: number
  /** Milliseconds since the epoch. @default Date.now() */
  readonly now?: number
}

/** A key of ed25519 costs some 50 µs a signature: nobody sends more than a few. */
const MOST_SIGNATURES = 20

/**
 * Checks that a webhook is genuine and fresh, and answers its parsed body (undefined for an empty one). `secrets` are those
 * shared with the sender (`whsec_…`) or its public keys (`whpk_…`); one that fits is enough, so give the old and the
 * new while they change. Pass the body as it came, not parsed. A receiver may get a webhook twice: look at `webhook-id`.
 * @throws WEBHOOK_INVALID: answer 400 or 401; OPTION_INVALID when a secret or the body cannot be used
 */
export function verify(
  headers: ReceivedHeaders,
  rawBody: string | Uint8Array,
  secrets: string | readonly string[],
  { toleranceSeconds = 300, now = Date.now() }: VerifyOptions = {},
): unknown {
  const keys = keysOf(typeof secrets === 'string' ? [secrets] : secrets, 'secrets')
  const body = bytesOf(rawBody)
  const id = headerOf(headers, 'webhook-id')
  const timestamp = headerOf(headers, 'webhook-timestamp')
  const given = candidates(headerOf(headers, 'webhook-signature'))
  if (!/^\d{1,12}$/.test(timestamp)) throw invalid('webhook-timestamp is not a time in seconds')
  const text = signedText(id, timestamp, body)
  const fits = keys.map((key) => given.map((candidate) => isOf(key, candidate, text)).includes(true))
  if (!fits.includes(true))
    throw invalid('no signature fits: it was changed on its way, or the secret is another')
  const agoSeconds = Math.floor(now / 1000) - Number(timestamp)
  if (!(Math.abs(agoSeconds) <= toleranceSeconds))
    throw invalid(
      `it was sent ${Math.abs(agoSeconds)} s ${agoSeconds < 0 ? 'from now' : 'ago'}, and ${toleranceSeconds} s are allowed`,
    )
  return parsed(body)
}

interface Candidate {
  readonly version: string
  readonly bytes: Buffer
}

/** Unknown versions are kept and fit nothing. Node joins a header that came twice by commas. */
function candidates(header: string): readonly Candidate[] {
  return header
    .split(/[\s]+/)
    .filter((text) => text !== '')
    .slice(0, MOST_SIGNATURES)
    .map((text) => {
      const [version = '', base64 = ''] = text.split(',')
      return { version, bytes: Buffer.from(base64, 'base64') }
    })
}

function isOf(key: Key, { version, bytes }: Candidate, text: Buffer): boolean {
  if (version !== key.version) return false
  if (key.version === 'v1a') return bytes.length === 64 && verifyEd25519(null, text, key.open, bytes)
  const expected = hmac(key.secret, text)
  return bytes.length === expected.length && timingSafeEqual(bytes, expected)
}

function headerOf(headers: ReceivedHeaders, name: string): string {
  const values = valuesOf(headers, name)
  const [value] = values
  if (value === undefined || value === '') throw invalid(`the header ${name} is missing`)
  if (name === 'webhook-signature') return values.join(' ')
  if (values.length > 1) throw invalid(`the header ${name} is there ${values.length} times`)
  return value
}

function valuesOf(headers: ReceivedHeaders, name: string): readonly string[] {
  if (typeof headers.get === 'function') {
    const value = (headers as { get(name: string): string | null }).get(name)
    return value === null || value === undefined ? [] : [value]
  }
  return Object.entries(headers as Readonly<Record<string, string | readonly string[] | undefined>>)
    .filter(([key]) => key.toLowerCase() === name)
    .flatMap(([, value]) => value ?? [])
}

function bytesOf(rawBody: unknown): Buffer {
  if (typeof rawBody === 'string') return Buffer.from(rawBody)
  if (rawBody instanceof Uint8Array)
    return Buffer.from(rawBody.buffer, rawBody.byteOffset, rawBody.byteLength)
  throw new OffloadError(
    'OPTION_INVALID',
    'verify() needs the raw body, as text or bytes: what was parsed and written again has another signature',
  )
}

function parsed(body: Buffer): unknown {
  if (body.length === 0) return undefined
  try {
    return decode(body.toString())
  } catch (error) {
    throw invalid(`its body cannot be read: ${(error as Error).message}`)
  }
}

function invalid(why: string): OffloadError {
  return new OffloadError('WEBHOOK_INVALID', `the webhook is refused: ${why}`)
}
