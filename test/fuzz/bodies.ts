import fc from 'fast-check'

export const BODY_BYTES = 20_000

/** JSON of these values, the same with a fault in it, and what was never JSON. */
export function bodies(values: fc.Arbitrary<unknown>): fc.Arbitrary<Uint8Array> {
  const texts = values.map((value) => JSON.stringify(value) ?? '')
  return fc.oneof(
    { weight: 12, arbitrary: texts.map(bytesOf) },
    { weight: 5, arbitrary: fc.tuple(texts, mutations).map(([text, mutate]) => bytesOf(mutate(text))) },
    { weight: 2, arbitrary: fc.constantFrom(...oddTexts).map(bytesOf) },
    { weight: 1, arbitrary: fc.constantFrom(...oddBytes) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.json().map(bytesOf) },
  )
}

const pieces = fc.constantFrom(
  ...[
    '"',
    '{',
    '}',
    '[',
    ']',
    ',',
    ':',
    '\\',
    '\\u',
    '\\ud800',
    '\\udfff\\ud800',
    '\u0000',
    '\ufeff',
    '\u2028',
  ],
  ...['null', 'true', 'NaN', '-', '-0', '1e999', '-1e999', '1'.repeat(400), '0.1e-400', '/*x*/', "'", '\t'],
  ...['"__proto__":1,', '"text":"b",', '"t\\u0065xt":"c",', '"callbackUrl":"https://x",', '"n":1e999,'],
)

const mutations: fc.Arbitrary<(text: string) => string> = fc.oneof(
  fc
    .tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(5), fc.oneof(fc.constant(''), pieces))
    .map(([place, dropped, added]) => (text: string) => {
      const at = Math.floor(place * text.length)
      return text.slice(0, at) + added + text.slice(at + dropped)
    }),
  pieces.map((piece) => (text: string) => text.replace('{', () => `{${piece}`)),
  pieces.map((piece) => (text: string) => text.replace(/:("[^"]*"|\d+)/, () => `:${piece}`)),
)

const nested = [99, 100, 101, 3000].flatMap((depth) => [
  '['.repeat(depth) + ']'.repeat(depth),
  `${'{"a":'.repeat(depth)}1${'}'.repeat(depth)}`,
  `{"text":"a","deep":${'['.repeat(depth)}${']'.repeat(depth)}}`,
])

const oddTexts = [
  ...['', ' ', '\n', 'null', '[]', '{}', '"x"', '0', '1e999', '"\\ud800"', '-0'],
  ...[
    '{"items":null}',
    '{"items":[null]}',
    '{"items":[{"input":null}]}',
    '{"items":[{"input":{},"idempotencyKey":7}]}',
  ],
  ...['{"text":"a","text":"b"}', '{"text":"\\ud800"}', '{"text":"key:\\ud800"}', '{"text":"key:\\u0000"}'],
  ...['{"__proto__":{"a":1},"text":"a"}', '{"constructor":{"prototype":1}}', '{"text":"a","n":1e999}'],
  ...['{"callbackUrl":7}', '{"callbackUrl":"https://x"}', '{"name":"a","kids":[],"callbackUrl":""}'],
  ...nested,
  ...['['.repeat(9999), '{"a":'.repeat(3000), `[${'1,'.repeat(8000)}1]`, `{"kids":[${'1,'.repeat(8000)}1]}`],
  ...[`{"text":"${'x'.repeat(BODY_BYTES)}"}`, ' '.repeat(BODY_BYTES), ' '.repeat(BODY_BYTES + 1)],
  `[${'['.repeat(9998)}${']'.repeat(9998)}]`,
]

const oddBytes = [
  ...[
    [0xc3, 0x28],
    [0xff, 0xfe, 0x7b, 0, 0x7d, 0],
    [0xef, 0xbb, 0xbf, 0x7b, 0x7d],
  ],
  ...[[0x1f, 0x8b, 8, 0], [0xed, 0xa0, 0x80], [0], [0x22, 0xff, 0x22]],
].map((bytes) => Uint8Array.from(bytes))

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}
