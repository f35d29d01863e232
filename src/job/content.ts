import { OffloadError } from './errors.ts'

/** The one member of a result that is not JSON but bytes of a type of its own. */
const MEMBER = 'offload:content'

const MEDIA_TYPE = /^[\w.+-]+\/[\w.+-]+(?:\s*;\s*[\w.+-]+="?[\w.+ -]+"?)*$/
const LONGEST_TYPE = 255

/** What `content()` makes: it can be returned from a handler, and is kept as JSON like any other result. */
export interface Content {
  readonly [MEMBER]: ContentParts
}

interface ContentParts {
  readonly type: string
  readonly filename?: string
  readonly base64: string
}

export interface ContentOptions {
  /** The media type, such as `text/csv; charset=utf-8`. */
  readonly type: string
  /** The name under which a browser keeps it. */
  readonly filename?: string
}

/**
 * A result that is text or bytes: `GET /jobs/{id}/result` sends it as it is, with its own type and length. It is stored in the
 * ledger, so `limits.payloadBytes` holds for it (a third more in base64); larger ones are kept elsewhere and sent by a `result`
 * hook. @throws OPTION_INVALID
 */
export function content(body: string | Uint8Array, { type, filename }: ContentOptions): Content {
  if (!isMediaType(type))
    throw new OffloadError('OPTION_INVALID', "content() needs a media type, such as type: 'text/csv'")
  const base64 = Buffer.from(body as Uint8Array).toString('base64')
  return { [MEMBER]: { type, base64, ...(filename === undefined ? {} : { filename: String(filename) }) } }
}

/** The content in a result; undefined when the result is plain JSON, also where that looks much like it: anybody may have sent it. */
export function contentOf(
  result: unknown,
): { readonly type: string; readonly filename: string | undefined; readonly bytes: Uint8Array } | undefined {
  if (typeof result !== 'object' || result === null || !Object.hasOwn(result, MEMBER)) return undefined
  const parts: unknown = (result as Content)[MEMBER]
  if (!isParts(parts)) return undefined
  const { type, filename, base64 } = parts
  return { type, filename, bytes: Buffer.from(base64, 'base64') }
}

function isParts(value: unknown): value is ContentParts {
  if (typeof value !== 'object' || value === null) return false
  const { type, filename, base64 } = value as Partial<ContentParts>
  return (
    isMediaType(type) &&
    typeof base64 === 'string' &&
    (filename === undefined || typeof filename === 'string')
  )
}

/** Nothing else may become a header. */
function isMediaType(type: unknown): type is string {
  return typeof type === 'string' && type.length <= LONGEST_TYPE && MEDIA_TYPE.test(type)
}
