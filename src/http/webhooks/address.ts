import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/**
 * Whether an IP address is one of the public internet: global unicast, and none of the ranges set aside for this host,
 * this network, carriers, documentation, tests, multicast or tunnels. False for whatever is not an address in its
 * standard form. An IPv4 address inside an IPv6 one (mapped, or behind NAT64) counts as what it is.
 */
export function isPublicAddress(address: string): boolean {
  switch (isIP(address)) {
    case 4:
      return ipaddr.IPv4.parse(address).range() === 'unicast'
    case 6:
      return !address.includes('%') && isPublicV6(partsOf(address))
    default:
      return false
  }
}

/** ipaddr.js takes every address with a dotted end for a mapped one, so the dots are gone before it sees it. */
function partsOf(address: string): readonly number[] {
  return ipaddr.IPv6.parse(new URL(`http://[${address}]/`).hostname.slice(1, -1)).parts
}

function isPublicV6(parts: readonly number[]): boolean {
  const embedded = embeddedV4(parts)
  if (embedded !== undefined) return isPublicAddress(embedded)
  const [first = 0] = parts
  const isGlobal = first >> 13 === 1 // 2000::/3 is all that was ever given out
  return isGlobal && !isIsatap(parts) && new ipaddr.IPv6([...parts]).range() === 'unicast'
}

/** The IPv4 address that a packet to a mapped or NAT64 address goes to. 6to4, Teredo and the like are not public at all. */
function embeddedV4(parts: readonly number[]): string | undefined {
  const isMapped = startsWith(parts, [0, 0, 0, 0, 0, 0xffff])
  const isNat64 = startsWith(parts, [0x64, 0xff9b, 0, 0, 0, 0])
  if (!isMapped && !isNat64) return undefined
  const [high = 0, low = 0] = parts.slice(6)
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}

/** A global prefix whose end names an IPv4 address of the network inside (RFC 5214). */
function isIsatap(parts: readonly number[]): boolean {
  return (parts[4] === 0 || parts[4] === 0x200) && parts[5] === 0x5efe
}

function startsWith(parts: readonly number[], prefix: readonly number[]): boolean {
  return prefix.every((part, index) => parts[index] === part)
}
