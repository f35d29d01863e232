import { OffloadError } from '../job/errors.ts'
import type { Answer } from './answer.ts'
import type { Ask } from './ask.ts'

/** Which pages of other origins may call (https://fetch.spec.whatwg.org/#http-cors-protocol). */
export interface CorsOptions {
  /** Origins such as `https://app.example.com`; `'*'` for every one, then without credentials. */
  readonly origins: '*' | readonly string[]
  /** Cookies and `Authorization` may come along. @default false */
  readonly credentials?: boolean
}

const EXPOSED = [
  'Content-Disposition',
  'Content-Location',
  'ETag',
  'Idempotent-Replayed',
  'Location',
  'Operation-Location',
  'Preference-Applied',
  'Retry-After',
].join(', ')
const TAKEN =
  'Content-Type, Idempotency-Key, Prefer, If-None-Match, Last-Event-ID, Authorization, Traceparent, Tracestate'
const PREFLIGHT_SECONDS = '600'

export function corsHeaders({ origins, credentials }: CorsOptions, ask: Ask): Record<string, string> {
  const origin = ask.header('origin')
  if (origins === '*') return { 'access-control-allow-origin': '*', 'access-control-expose-headers': EXPOSED }
  if (origin === undefined || !origins.includes(origin)) return { vary: 'Origin, Prefer' }
  return {
    'access-control-allow-origin': origin,
    'access-control-expose-headers': EXPOSED,
    ...(credentials === true ? { 'access-control-allow-credentials': 'true' } : {}),
    vary: 'Origin, Prefer',
  }
}

/**
 * Refuses what a page of another origin sends without being let in. Browsers ask before they send JSON; a POST without a
 * body they send at once, with cookies, and only hide the answer. @throws FORBIDDEN
 */
export function checkPage(cors: CorsOptions | undefined, ask: Ask): void {
  const from = ask.header('sec-fetch-site')
  if (from !== 'cross-site' && from !== 'same-site') return
  if (cors !== undefined && 'access-control-allow-origin' in corsHeaders(cors, ask)) return
  throw new OffloadError('FORBIDDEN', 'pages of this origin may not do this: `cors` says which may')
}

/** Answers `OPTIONS`: what may be asked here, and by which pages. */
export function preflightAnswer(methods: readonly string[], cors: CorsOptions | undefined, ask: Ask): Answer {
  const allow = methods.join(', ')
  const headers = cors === undefined ? {} : corsHeaders(cors, ask)
  const isAllowed = 'access-control-allow-origin' in headers
  return {
    status: 204,
    headers: {
      allow,
      ...headers,
      ...(isAllowed
        ? {
            'access-control-allow-methods': allow,
            'access-control-allow-headers': TAKEN,
            'access-control-max-age': PREFLIGHT_SECONDS,
          }
        : {}),
    },
    body: undefined,
  }
}
