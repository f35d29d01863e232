import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DEFAULT_PAYLOAD_BYTES, decode, encode } from './payload.ts'

const LIMIT = DEFAULT_PAYLOAD_BYTES

function nested(levels: number): unknown {
  let value: unknown = 1
  for (let i = 0; i < levels; i++) value = [value]
  return value
}

function hasNegativeZero(value: unknown): boolean {
  if (typeof value === 'object' && value !== null) return Object.values(value).some(hasNegativeZero)
  return Object.is(value, -0)
}

function hasProtoKey(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  return Object.hasOwn(value, '__proto__') || Object.values(value).some(hasProtoKey)
}

class Money {
  cents = 5
}
class Tagged extends Map {}
const hostile = (): never => {
  throw new Error('hostile')
}
const circular: Record<string, unknown> = {}
circular.self = circular
const revoked = Proxy.revocable({}, {})
revoked.revoke()

describe('what JSON can carry', () => {
  test('comes back as it was', () => {
    fc.assert(
      fc.property(
        fc.jsonValue().filter((value) => !hasNegativeZero(value) && !hasProtoKey(value)),
        (value) => {
          expect(decode(encode(value, LIMIT))).toEqual(value)
        },
      ),
    )
  })

  test('is taken with a null prototype, from another realm, and when one value is there twice', () => {
    const twice = { a: 1 }
    expect(encode(Object.assign(Object.create(null), { a: 1 }), LIMIT)).toBe('{"a":1}')
    expect(encode(runInNewContext('({ a: [1] })'), LIMIT)).toBe('{"a":[1]}')
    expect(encode([twice, twice], LIMIT)).toBe('[{"a":1},{"a":1}]')
  })

  test('leaves out properties that are undefined', () => {
    expect(encode({ a: undefined, b: 1 }, LIMIT)).toBe('{"b":1}')
  })

  test('keeps names that only look dangerous, as data', () => {
    const value = { constructor: { prototype: 1 }, toString: 'x', hasOwnProperty: 2, proto: 3 }
    expect(decode(encode(value, LIMIT))).toEqual(value)
  })

  test('keeps a lone surrogate and NUL as escapes', () => {
    expect(decode(encode('\ud800\u0000', LIMIT))).toBe('\ud800\u0000')
  })

  test('may be a hundred levels deep and no more', () => {
    expect(decode(encode(nested(100), LIMIT))).toEqual(nested(100))
    expect(() => encode(nested(101), LIMIT)).toThrow(/nesting/)
  })
})

describe('what JSON cannot carry', () => {
  test.each<[string, unknown]>([
    ['Date', new Date(0)],
    ['Date', runInNewContext('new Date(0)')],
    ['Map', new Map()],
    ['Set', new Set()],
    ['Money', new Money()],
    ['Map', new Tagged()],
    ['Uint8Array', Buffer.from('a')],
    ['Float64Array', new Float64Array(2)],
    ['ArrayBuffer', new ArrayBuffer(2)],
    ['function', () => 1],
    ['symbol', Symbol('s')],
    ['bigint', 1n],
    ['NaN', Number.NaN],
    ['Infinity', Infinity],
    ['-Infinity', -Infinity],
    ['undefined', [undefined][0]],
    ['URL', new URL('http://localhost')],
    ['RegExp', /x/],
    ['Number', Object(1)],
    ['String', Object('s')],
    ['Boolean', Object(true)],
    ['BigInt', Object(1n)],
    ['Error', new Error('no')],
    ['Promise', Promise.resolve()],
    ['WeakMap', new WeakMap()],
    ['toJSON', { toJSON: () => 1 }],
    ['toJSON', Object.assign([1], { toJSON: () => 'other' })],
    ['nesting', nested(100_000)],
    ['nesting', circular],
  ])('is refused by path and name: %s', (name, value) => {
    expect(() => encode({ items: [0, value], '': 1 }, LIMIT)).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_INVALID',
        path: expect.stringMatching(/^items\[1\]/),
        message: expect.stringContaining(name),
      }),
    )
  })

  test('is named as the value itself at the top', () => {
    expect(() => encode(undefined, LIMIT)).toThrow('the value itself is undefined')
  })

  test('is refused with the code asked for', () => {
    expect(() => encode(1n, LIMIT, 'RESULT_INVALID')).toThrow(
      expect.objectContaining({ code: 'RESULT_INVALID' }),
    )
    expect(() => encode('long', 1, 'RESULT_INVALID')).toThrow(
      expect.objectContaining({ code: 'RESULT_INVALID' }),
    )
  })

  test('is a hole in an array', () => {
    const sparse = [1]
    sparse[1_000_000_000] = 2
    expect(() => encode({ list: sparse }, LIMIT)).toThrow(/list\[1\] is undefined/)
  })

  test('is a __proto__ key, however it came there', () => {
    for (const value of [JSON.parse('{"a":[{"__proto__":{"admin":true}}]}'), { a: [{ ['__proto__']: 1 }] }])
      expect(() => encode(value, LIMIT)).toThrow(expect.objectContaining({ path: 'a[0].__proto__' }))
  })

  test('is an object whose prototype was set to another', () => {
    expect(() => encode({ __proto__: { admin: true } }, LIMIT)).toThrow(
      expect.objectContaining({ code: 'PAYLOAD_INVALID' }),
    )
  })

  test.each<[string, unknown]>([
    [
      'a getter that throws',
      {
        get a() {
          return hostile()
        },
      },
    ],
    [
      'a getter that throws what cannot be read',
      {
        get a() {
          throw {
            get message() {
              return hostile()
            },
          }
        },
      },
    ],
    [
      'a getter that throws undefined',
      {
        get a() {
          throw undefined
        },
      },
    ],
    ['a proxy whose traps throw', new Proxy({}, { ownKeys: hostile, getPrototypeOf: hostile })],
    ['a revoked proxy', revoked.proxy],
  ])('is what cannot be read: %s', (_, value) => {
    expect(() => encode(value, LIMIT)).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
  })

  test('is named by a quoted key where the key is no word', () => {
    expect(() => encode({ 'a.b': { '"': 1n } }, LIMIT)).toThrow(
      expect.objectContaining({ path: '["a.b"]["\\""]' }),
    )
  })
})

describe('the size limit', () => {
  test.each(['a', 'é', '€', '😀'])('counts bytes, to the byte: %s', (character) => {
    const text = character.repeat(100)
    const bytes = Buffer.byteLength(JSON.stringify(text))
    expect(encode(text, bytes + 1)).toBe(JSON.stringify(text))
    expect(encode(text, bytes)).toBe(JSON.stringify(text))
    expect(() => encode(text, bytes - 1)).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_TOO_LARGE',
        message: expect.stringContaining(`${bytes} bytes`),
      }),
    )
  })

  test('holds for an object of a million keys', () => {
    const wide = Object.fromEntries(Array.from({ length: 1_000_000 }, (_, i) => [`k${i}`, i]))
    expect(() => encode(wide, LIMIT)).toThrow(expect.objectContaining({ code: 'PAYLOAD_TOO_LARGE' }))
  })
})

describe('a stored payload', () => {
  test.each([
    '{"__proto__":1}',
    '[[{"a":{"__proto__":{"admin":true}}}]]',
    '{"\\u005f_proto__":1}',
    '{"\\u005F\\u005f\\u0070roto\\u005f_":{}}',
    '{"a":null,"b":[0,{"__proto__":null}]}',
  ])('with a __proto__ key is refused: %s', (text) => {
    expect(() => decode(text)).toThrow(expect.objectContaining({ code: 'PAYLOAD_UNDECODABLE' }))
    expect(Object.prototype).not.toHaveProperty('admin')
  })

  test('may say __proto__ in a value', () => {
    expect(decode('{"a":"__proto__","b":"\\u005f"}')).toEqual({ a: '__proto__', b: '_' })
  })

  test.each(['', '{', 'undefined', "{'a':1}", '{"a":1}x', '\u0000', 'NaN'])(
    'that is no JSON is refused: %j',
    (text) => {
      expect(() => decode(text)).toThrow(
        expect.objectContaining({ code: 'PAYLOAD_UNDECODABLE', cause: expect.any(SyntaxError) }),
      )
    },
  )

  test('is read or refused with its code, whatever it is', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.json()), (text) => {
        try {
          decode(text)
        } catch (error) {
          expect(error).toMatchObject({ code: 'PAYLOAD_UNDECODABLE' })
        }
      }),
    )
  })

  test('is looked through however deep it is', () => {
    const deep = `${'['.repeat(100_000)}{"__proto__":1}${']'.repeat(100_000)}`
    expect(() => decode(deep)).toThrow(expect.objectContaining({ code: 'PAYLOAD_UNDECODABLE' }))
  })
})
