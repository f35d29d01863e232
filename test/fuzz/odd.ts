import fc from 'fast-check'

/** This, but for one time in eight. */
export function seldom<T>(usual: T, unusual: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 7, arbitrary: fc.constant(usual) }, { weight: 1, arbitrary: unusual })
}

function words(text: string): string[] {
  return text.split(' ')
}

/** What has broken servers before. */
export const nasty: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...words("0 -1 1e9 __proto__ ';-- %00 null * \u00ff\u0080"),
    '',
    '9'.repeat(15),
    '9'.repeat(400),
  ),
  fc.string({ maxLength: 20 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
)

export const oddIds: fc.Arbitrary<string> = fc.oneof(
  fc.constantFrom(
    ...words('.. . %2e%2e %00 %ff % %2 %2541 %2F..%2F __proto__ constructor toString openapi.json batch'),
    ...words('* :id {id} ; @ ~ 日本 %F0%9F%98%80 %ED%A0%80 # %23 \' " \\ | ^ ` <'),
    ...[100, 101, 200, 201, 9000].map((length) => 'a'.repeat(length)),
    '0'.repeat(30),
  ),
  fc.webPath(),
  fc.string({ unit: 'binary', maxLength: 12 }).map(encoded),
)

export const oddQueryValues: fc.Arbitrary<string> = fc.oneof(
  nasty.map(encoded),
  fc.constantFrom(...words('done 2020-01-01 5 % %ff + a&a 2020-01-01T00:00:00Z 2020-13-99 1001')),
)

const manySpaces = ' '.repeat(5000)

/** By the name of the header. */
export const oddHeaders: Readonly<Record<string, readonly string[]>> = {
  'idempotency-key': [
    'one',
    '"one"',
    'two',
    '"a \\" b"',
    '"',
    '""',
    'a b',
    `"${'k'.repeat(255)}"`,
    'k'.repeat(256),
  ],
  prefer: [
    'wait=1',
    'wait=0',
    'respond-async',
    'respond-async, wait=10',
    'wait=99999999999',
    `a=${manySpaces}""x`,
  ],
  'if-none-match': ['*', '"x"', 'W/"x"', '"a", W/"b"', ',,,', '"'],
  'last-event-id': ['0', '1', '999999999999999', '-1', '1.5', '', 'x'],
  traceparent: ['00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', '00-0-0-00', 'ff', ''],
  tracestate: ['a=b', ','.repeat(40), 'x'.repeat(2000)],
  range: ['bytes=0-0', 'bytes=-1', 'bytes=5-1', 'x'],
  expect: ['100-continue', 'x'],
  accept: ['text/html', 'application/xml', '*/*;q=0', 'x'],
  'accept-encoding': ['gzip', 'identity;q=0'],
  'content-encoding': ['gzip', 'br', 'x', 'identity'],
  origin: ['null', 'http://x', 'x'],
  host: ['', 'x', 'a b', '[::1]', '%', 'x:99999', 'x/y', '@'],
  'x-http-method-override': ['DELETE', 'GET'],
  cookie: ['a=b', 'x'.repeat(20_000)],
}

const json = 'application/json'

export const oddTypes: readonly string[] = [
  ...['', 'json', '/', 'text/plain', '*/*', 'application/;', 'application/x-www-form-urlencoded'],
  ...['multipart/form-data', 'multipart/form-data; boundary=x', 'application/vnd.x+json', json.toUpperCase()],
  ...[
    '; charset=utf-8',
    ';charset="UTF-8"',
    '; charset=latin1',
    '; charset=utf-16',
    '; charset=',
    '; charset',
    '; x=y',
  ].map((end) => json + end),
  ...[';', ', text/plain', '; charset=utf-8; charset=x'].map((end) => json + end),
]

function encoded(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}
