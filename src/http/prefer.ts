/** What a client prefers (RFC 7240), as far as it is known here; whatever else it says is ignored, as the RFC asks. */
export interface Preferences {
  readonly respondAsync: boolean
  /** Milliseconds; undefined when it says nothing. */
  readonly waitMs: number | undefined
}

const NONE: Preferences = { respondAsync: false, waitMs: undefined }

/** Reads a `Prefer` header. Of a preference that comes twice, the first counts (RFC 7240, section 2). */
export function preferences(header: string | undefined, mostMs: number): Preferences {
  if (header === undefined) return NONE
  let respondAsync = false
  let waitMs: number | undefined
  for (const one of header.split(',')) {
    const [preference = ''] = one.split(';', 1)
    const [name = '', value = ''] = preference.split('=', 2).map((part) => part.trim())
    if (name.toLowerCase() === 'respond-async') respondAsync = true
    const [, seconds] = /^"?(\d{1,9})"?$/.exec(value) ?? []
    if (name.toLowerCase() === 'wait' && waitMs === undefined && seconds !== undefined)
      waitMs = Math.min(Number(seconds) * 1000, mostMs)
  }
  return { respondAsync, waitMs }
}

/** The `Preference-Applied` header of an answer; undefined when nothing was asked for. */
export function applied({ respondAsync, waitMs }: Preferences): string | undefined {
  const names = [
    ...(respondAsync ? ['respond-async'] : []),
    ...(waitMs === undefined ? [] : [`wait=${Math.floor(waitMs / 1000)}`]),
  ]
  return names.length === 0 ? undefined : names.join(', ')
}
