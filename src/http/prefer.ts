/** What a client prefers (RFC 7240), as far as it is known here; whatever else it says is ignored, as the RFC asks. */
export interface Preferences {
  readonly respondAsync: boolean
  /** Milliseconds; undefined when it says nothing. */
  readonly waitMs: number | undefined
}

/** Reads a `Prefer` header. Of a preference that comes twice, the first counts (RFC 7240, section 2). */
export function preferences(header: string | undefined, mostMs: number): Preferences {
  const said = saidIn(header ?? '')
  const wait = said.get('wait') ?? ''
  return {
    respondAsync: said.get('respond-async') === '',
    waitMs: /^\d{1,9}$/.test(wait) ? Math.min(Number(wait) * 1000, mostMs) : undefined,
  }
}

/** The preferences by name, without their parameters. */
function saidIn(header: string): ReadonlyMap<string, string> {
  const said = new Map<string, string>()
  for (const preference of splitAt(header, ',')) {
    const [first = ''] = splitAt(preference, ';')
    const cut = first.indexOf('=')
    const name = (cut === -1 ? first : first.slice(0, cut)).trim().toLowerCase()
    if (!said.has(name)) said.set(name, cut === -1 ? '' : unquoted(first.slice(cut + 1).trim()))
  }
  return said
}

/** Splits a text, but not within quotes. */
function splitAt(text: string, mark: string): string[] {
  const parts: string[] = []
  let start = 0
  let isQuoted = false
  for (let at = 0; at < text.length; at++) {
    const char = text[at]
    if (isQuoted && char === '\\') at++
    else if (char === '"') isQuoted = !isQuoted
    else if (!isQuoted && char === mark) {
      parts.push(text.slice(start, at))
      start = at + 1
    }
  }
  return [...parts, text.slice(start)]
}

function unquoted(text: string): string {
  return /^".*"$/.test(text) ? text.slice(1, -1).replaceAll(/\\(.)/g, '$1') : text
}

/** The `Preference-Applied` header of an answer; undefined when nothing was asked for. */
export function applied({ respondAsync, waitMs }: Preferences): string | undefined {
  const names = [
    ...(respondAsync ? ['respond-async'] : []),
    ...(waitMs === undefined ? [] : [`wait=${Math.floor(waitMs / 1000)}`]),
  ]
  return names.length === 0 ? undefined : names.join(', ')
}
