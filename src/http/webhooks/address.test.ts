import { BlockList } from 'node:net'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { isPublicAddress } from './address.ts'

/** The ranges of the IANA special-purpose registries, written down apart from any library. */
const special4 = [
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
]
const blocked = new BlockList()
for (const range of special4) {
  const [network = '', bits] = range.split('/')
  blocked.addSubnet(network, Number(bits))
}

const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
const specialBytes = fc.constantFrom(...special4).chain((range) => {
  const [network = '', bits] = range.split('/')
  const mask = Number(bits) === 0 ? 0 : (-1 << (32 - Number(bits))) >>> 0
  const first = network.split('.').reduce((sum, part) => sum * 256 + Number(part), 0)
  return fc.nat(0xffffffff).map((random): [number, number, number, number] => {
    const address = ((first & mask) | (random & ~mask)) >>> 0
    return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255]
  })
})
const hex = ([a, b, c, d]: readonly [number, number, number, number]): string =>
  `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`

test('an IPv4 address is public when it is in no special range', () => {
  fc.assert(
    fc.property(fc.oneof(bytes, specialBytes), (address) => {
      const text = address.join('.')
      expect(isPublicAddress(text)).toBe(!blocked.check(text))
    }),
    { numRuns: 3000 },
  )
})

test('an IPv4 address mapped into IPv6 or behind NAT64 counts as what it is, however it is written', () => {
  fc.assert(
    fc.property(fc.oneof(bytes, specialBytes), (address) => {
      const isPublic = !blocked.check(address.join('.'))
      for (const prefix of ['::ffff:', '0:0:0:0:0:ffff:', '64:ff9b::', '64:FF9B:0:0:0:0:'])
        for (const tail of [address.join('.'), hex(address)])
          expect(isPublicAddress(`${prefix}${tail}`)).toBe(isPublic)
    }),
  )
})

test('an IPv4 address in any other IPv6 form is never public', () => {
  fc.assert(
    fc.property(bytes, (address) => {
      const v4 = address.join('.')
      for (const text of [
        `::${v4}`,
        `::ffff:0:${v4}`,
        `64:ff9b:1::${v4}`,
        `2002:${hex(address)}::1`,
        `2001:0:${hex(address)}::1`,
        `2606:4700::5efe:${v4}`,
        `2606:4700::200:5efe:${v4}`,
      ])
        expect([text, isPublicAddress(text)]).toEqual([text, false])
    }),
  )
})

test('outside 2000::/3 no IPv6 address is public', () => {
  const part = fc.nat(0xffff)
  const low = fc.nat(0x1fff)
  const high = fc.integer({ min: 0x4000, max: 0xffff })
  fc.assert(
    fc.property(fc.oneof(low, high), fc.array(part, { minLength: 7, maxLength: 7 }), (first, rest) => {
      const isNat64 = first === 0x64 && rest[0] === 0xff9b
      const text = [first, ...rest].map((value) => value.toString(16)).join(':')
      expect(isPublicAddress(text)).toBe(isNat64 ? isPublicAddress(text) : false)
    }),
  )
})

test.each([
  '8.8.8.8',
  '1.1.1.1',
  '100.63.255.255',
  '100.128.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '223.255.255.255',
  '2606:4700:4700::1111',
  '2a00:1450:4001:82b::200e',
])('%s is public', (address) => {
  expect(isPublicAddress(address)).toBe(true)
})

test.each([
  '::',
  '::1',
  'fc00::1',
  'fd12:3456:789a::1',
  'fe80::1',
  'fec0::1',
  'ff02::1',
  '100::1',
  '2001:db8::1',
  '3fff::1',
  '5f00::1',
  '2001:2::1',
  '2001:10::1',
  '2001:20::1',
  '2606:4700:4700::1111%eth0',
  '255.255.255.255',
  '169.254.169.254',
])('%s is not public', (address) => {
  expect(isPublicAddress(address)).toBe(false)
})

test.each([
  '',
  'localhost',
  '8.8.8',
  '0x08080808',
  '134744072',
  '010.8.8.8',
  '8.8.8.8.',
  ' 8.8.8.8',
  '8.8.8.8\0',
  '[2606:4700::1]',
])('%j is no address in its standard form, so it is not public', (text) => {
  expect(isPublicAddress(text)).toBe(false)
})
