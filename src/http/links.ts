import { createHmac, timingSafeEqual } from 'node:crypto'
import type { Duration } from '../duration.ts'
import { toMs } from '../duration.ts'
import { OffloadError } from '../job/errors.ts'

export interface LinkOptions {
  /** At least 16 characters each; the first one signs, every one is accepted. */
  readonly secrets: readonly string[]
  /** How long a link is good at least; at most a tenth longer. @default '24h' */
  readonly ttl?: Duration
}

/** What a link lets its holder do. */
export type Purpose = 'read' | 'cancel'

/** Where a job is read, followed and cancelled. Ids hold only what a URL path can hold as it is. */
export interface Links {
  readonly self: string
  readonly events: string
  readonly result: string
  /** Not there for who came by a link to read. */
  readonly cancel?: string
}

/** The addresses of jobs below one path, signed where there are secrets. */
export class LinkMaker {
  readonly base: string
  /** Where clients reach the server; undefined where only it knows. */
  readonly origin: string | undefined
  readonly #secrets: readonly string[]
  readonly #ttlMs: number
  /** Links that are made within one step are equal, so that a client that asks again gets 304. */
  readonly #stepMs: number

  constructor(base: string, options?: LinkOptions, origin?: string) {
    this.base = base
    this.origin = origin
    this.#secrets = options?.secrets ?? []
    this.#ttlMs = toMs(options?.ttl ?? '24h', 'links.ttl')
    this.#stepMs = Math.max(1, Math.floor(this.#ttlMs / 10_000)) * 1000
    const isWeak = this.#secrets.some((secret) => typeof secret !== 'string' || secret.length < 16)
    if (options !== undefined && (this.#secrets.length === 0 || isWeak))
      throw new OffloadError(
        'OPTION_INVALID',
        'links.secrets needs at least one secret of 16 characters or more',
      )
  }

  get areSigned(): boolean {
    return this.#secrets.length > 0
  }

  of(id: string): Links {
    const self = `${this.base}/${id}`
    if (!this.areSigned)
      return { self, events: `${self}/events`, result: `${self}/result`, cancel: `${self}/cancel` }
    const [read, cancel] = [this.#query(id, 'read'), this.#query(id, 'cancel')]
    return {
      self: self + read,
      events: `${self}/events${read}`,
      result: `${self}/result${read}`,
      cancel: `${self}/cancel${cancel}`,
    }
  }

  /** For who came by a link: as good as that one, and no better. For anybody else the links of the job. */
  seenBy(id: string, query: URLSearchParams): Links {
    const [expires, signature] = [query.get('expires'), query.get('signature')]
    if (!this.areSigned || expires === null || signature === null) return this.of(id)
    const [self, own] = [
      `${this.base}/${id}`,
      `?expires=${expires}&signature=${encodeURIComponent(signature)}`,
    ]
    return { self: self + own, events: `${self}/events${own}`, result: `${self}/result${own}` }
  }

  /** Whether a request carries a link's signature that fits. @throws LINK_INVALID when it carries one that does not */
  isSignedFor(id: string, purpose: Purpose, query: URLSearchParams): boolean {
    const [expires, signature] = [query.get('expires'), query.get('signature')]
    if (!this.areSigned || (expires === null && signature === null)) return false
    const fits = this.#secrets.some((secret) =>
      equals(sign(secret, id, purpose, expires ?? ''), signature ?? ''),
    )
    if (fits && Number(expires) * 1000 > Date.now()) return true
    throw new OffloadError(
      'LINK_INVALID',
      fits ? 'this link has expired' : 'the signature of this link does not fit',
    )
  }

  #query(id: string, purpose: Purpose): string {
    const expires = String(Math.ceil((Date.now() + this.#ttlMs) / this.#stepMs) * (this.#stepMs / 1000))
    return `?expires=${expires}&signature=${sign(this.#secrets[0] ?? '', id, purpose, expires)}`
  }
}

function sign(secret: string, id: string, purpose: Purpose, expires: string): string {
  return createHmac('sha256', secret).update(`${purpose} ${expires} ${id}`).digest('base64url')
}

function equals(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
