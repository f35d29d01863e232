import type { Answer } from '../http/answer.ts'

/** The page runs and shows nothing but itself, nowhere but by itself. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join('; ')

const shared = {
  'content-security-policy': POLICY,
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** What every answer of the dashboard has; of a header that it has itself, its own. */
export function guarded(answer: Answer): Answer {
  return { ...answer, headers: { ...shared, 'cache-control': 'no-store', ...answer.headers } }
}

export function json(body: object, status = 200): Answer {
  return { status, headers: { 'content-type': 'application/json' }, body }
}
