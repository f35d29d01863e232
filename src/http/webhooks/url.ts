import { isIP } from 'node:net'
import { OffloadError } from '../../job/errors.ts'
import { isPublicAddress } from './address.ts'

/** Whether an address may be called for this URL. */
export type Allow = (address: string, url: URL) => boolean

const MAX_URL = 2048
const LOWEST_FREE_PORT = 1024

/**
 * Everything about a URL that can be told without asking DNS: https (http only where `allow` may let it through), no user
 * or password, port 443, 80 or 1024 and up, 2048 characters at most, no name of this host, and no address that may not
 * be called. Answers it in its normal form, without a fragment.
 * @throws WEBHOOK_REFUSED
 */
export function checkUrl(text: string, allow: Allow | undefined): URL {
  if (typeof text !== 'string' || text.length > MAX_URL)
    throw refused(`its URL must be text of at most ${MAX_URL} characters`)
  if (!URL.canParse(text)) throw refused('its URL is no absolute URL, such as https://example.com/hook')
  const url = new URL(text)
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && allow !== undefined))
    throw refused('its URL must begin with https://')
  if (url.username !== '' || url.password !== '')
    throw refused('its URL must not hold a user name or a password')
  if (url.port !== '' && url.port !== '80' && Number(url.port) < LOWEST_FREE_PORT)
    throw refused(`port ${url.port} is not for webhooks: take 443, 80, or ${LOWEST_FREE_PORT} and up`)
  url.hash = ''
  url.hostname = withoutLastDot(url.hostname)
  const host = hostOf(url)
  if (isIP(host) !== 0) checkAddress(host, url, allow)
  else if (isNameOfThisHost(host) && allow === undefined) throw refused(`${host} is this host itself`)
  return url
}

/**
 * Whether this address may be called for the URL: a public one over https, or one that `allow` lets through. Over http
 * only those that `allow` lets through and that are not public: nothing is sent readable over the internet.
 * @throws WEBHOOK_REFUSED
 */
export function checkAddress(address: string, url: URL, allow: Allow | undefined): void {
  if (isIP(address) === 0) throw refused(`${hostOf(url)} has no usable address`)
  const isPublic = isPublicAddress(address)
  if (!(allow?.(address, url) ?? isPublic))
    throw refused(
      `${hostOf(url)} ${isIP(hostOf(url)) === 0 ? 'has' : 'is'} an address that may not be called`,
    )
  if (isPublic && url.protocol !== 'https:')
    throw refused('its URL must begin with https:// as its address is public')
}

/** The host without the brackets of an IPv6 address. */
export function hostOf(url: URL): string {
  return url.hostname.startsWith('[') ? url.hostname.slice(1, -1) : url.hostname
}

export function refused(why: string): OffloadError {
  return new OffloadError('WEBHOOK_REFUSED', `this webhook is not called: ${why}`)
}

/** `example.com.` is `example.com`, and only that is written in certificates. */
function withoutLastDot(hostname: string): string {
  return hostname.length > 1 && hostname.endsWith('.') ? hostname.slice(0, -1) : hostname
}

function isNameOfThisHost(host: string): boolean {
  return host === 'localhost' || host.endsWith('.localhost')
}
