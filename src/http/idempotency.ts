import { createHash } from 'node:crypto'
import { OffloadError } from '../job/errors.ts'

/** Whether requests of a route carry an `Idempotency-Key`: it must be there, may be there, or is ignored. */
export type IdempotencyRule = 'required' | 'optional' | 'off'

/** What `enqueue()` needs to accept a request once. */
export interface IdempotencyOptions {
  readonly idempotencyKey: string
  /** Of the body; left out where there is none that can be seen, so that the payload is compared. */
  readonly fingerprint?: string
}

/**
 * Reads `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header-07): a quoted string, or a bare token. The key counts for
 * one method and route. @throws IDEMPOTENCY_KEY_MISSING, IDEMPOTENCY_KEY_INVALID
 */
export function idempotencyOptions(
  header: string | undefined,
  rule: IdempotencyRule,
  route: string,
  body: unknown,
): IdempotencyOptions | undefined {
  if (rule === 'off') return undefined
  if (header === undefined) {
    if (rule === 'optional') return undefined
    throw new OffloadError(
      'IDEMPOTENCY_KEY_MISSING',
      'this needs an Idempotency-Key header: a new UUID for a new request, the same again for the same',
    )
  }
  return {
    idempotencyKey: `${route} ${keyOf(header)}`,
    ...(body === undefined ? {} : { fingerprint: fingerprint(body) }),
  }
}

function keyOf(header: string): string {
  const [, quoted, bare] =
    /^\s*(?:"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\]){1,255})"|([\x21\x23-\x2b\x2d-\x7e]{1,255}))\s*$/.exec(
      header,
    ) ?? []
  const key = quoted?.replaceAll(/\\(["\\])/g, '$1') ?? bare
  if (key !== undefined) return key
  throw new OffloadError(
    'IDEMPOTENCY_KEY_INVALID',
    'Idempotency-Key must be one quoted string of 1 to 255 printable ASCII characters, such as "8e03978e-40d5-43dd-bc93-6894a57f9324"',
  )
}

/** Equal for equal JSON values, whatever the order of their keys. */
export function fingerprint(value: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(ordered(value)))
    .digest('base64url')
}

function ordered(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map(ordered)
  const keys = Object.keys(value).sort()
  return { members: keys.map((key) => [key, ordered((value as Record<string, unknown>)[key])]) }
}

/** The requests of this process that are being answered. */
export class InFlight {
  readonly #keys = new Set<string>()

  /** Answers once at a time under one key. @throws IDEMPOTENCY_IN_USE */
  async once<T>(key: string, answer: () => Promise<T>): Promise<T> {
    if (this.#keys.has(key))
      throw new OffloadError(
        'IDEMPOTENCY_IN_USE',
        'the first request with this Idempotency-Key is still being answered: send it again in a moment',
        { retryAfterMs: 1000 },
      )
    this.#keys.add(key)
    try {
      return await answer()
    } finally {
      this.#keys.delete(key)
    }
  }
}
