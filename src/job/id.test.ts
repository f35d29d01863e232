import { describe, expect, test } from 'vitest'
import { checkId, checkKey, checkName, idMaker, tickId, tickOf } from './id.ts'

const newId = idMaker((into) => crypto.getRandomValues(into))

describe('a new id', () => {
  test('has 30 characters and can be used as an id', () => {
    for (const now of [0, -5, 1.5, 1_800_000_000_000, 2 ** 50 - 1]) {
      const id = newId(now)
      expect(id).toMatch(/^[0-9a-hjkmnp-tv-z]{30}$/)
      expect(checkId(id)).toBe(id)
    }
  })

  test('sorts by its time', () => {
    const times = [0, 1, 31, 32, 1023, 1024, 1_700_000_000_000, 1_700_000_000_001, 1_800_000_000_000, 2 ** 49]
    const ids = times.map(newId)
    expect(ids.toSorted()).toEqual(ids)
  })

  test('is another one each time, in one millisecond too', () => {
    const ids = new Set<string>()
    for (let i = 0; i < 100_000; i++) ids.add(newId(1_700_000_000_000))
    expect(ids.size).toBe(100_000)
  })
})

const NEVER: [string, unknown][] = [
  ['empty', ''],
  ['a path', '../x'],
  ['__proto__', '__proto__'],
  ['an emoji', 'a😀'],
  ['CRLF', 'a\r\nSet-Cookie: x'],
  ['a line break at the end', 'a\n'],
  ['NUL', 'a\u0000'],
  ['SQL', "a'; drop table jobs;--"],
  ['markup', '<script>'],
  ['a space', 'a b'],
  ['a slash', 'a/b'],
  ['a percent sign', 'a%2e'],
  ['a glob', 'a*'],
  ['a key tag', 'a{b}'],
  ['another script', 'жук'],
  ['a lone surrogate', 'a\ud800'],
  ['a number', 7],
  ['undefined', undefined],
  ['null', null],
  ['a symbol', Symbol('s')],
  ['an object', { toString: () => 'fine' }],
  ['an object without a prototype', Object.create(null)],
]

describe('the id of a user', () => {
  test.each(['a', '0', 'order-17', 'a.b_c:d~e@f-g', 'toString', 'x'.repeat(200)])('can be %s', (id) => {
    expect(checkId(id)).toBe(id)
  })

  test.each<[string, unknown]>([...NEVER, ['too long', 'x'.repeat(201)], ['a dot first', '.a']])(
    'is refused: %s',
    (_, id) => {
      expect(() => checkId(id as string)).toThrow(expect.objectContaining({ code: 'ID_INVALID' }))
    },
  )

  test('is shown in short, on one line, when it is refused', () => {
    expect(() => checkId(`a\n${'x'.repeat(1e6)}`)).toThrow(
      expect.objectContaining({ message: expect.stringMatching(/^.{1,250}$/) }),
    )
  })
})

describe('the name of a task or queue', () => {
  test.each(['email.receipt', 'a:b-c_d', 'toString', 'x'.repeat(120)])('can be %s', (name) => {
    expect(checkName('queue', name)).toBe(name)
  })

  test.each<[string, unknown]>([...NEVER, ['too long', 'x'.repeat(121)], ['an at sign', 'a@b']])(
    'is refused: %s',
    (_, name) => {
      expect(() => checkName('task', name as string)).toThrow(
        expect.objectContaining({
          code: 'OPTION_INVALID',
          message: expect.stringMatching(/^task name /),
        }),
      )
    },
  )
})

describe('a key', () => {
  test.each(['customer 7', '../x', '__proto__', 'toString', 'жук 😀', "';--", 'x'.repeat(200)])(
    'can be any text: %s',
    (key) => {
      expect(checkKey(key)).toBe(key)
    },
  )

  test.each<[string, unknown]>([
    ['empty', ''],
    ['too long', 'x'.repeat(201)],
    ['CRLF', 'a\r\nb'],
    ['NUL', 'a\u0000'],
    ['delete', 'a\u007f'],
    ['a control character of the second set', 'a\u0085'],
    ['a lone surrogate', '\udc00'],
    ['a number', 7],
    ['an object', Object.create(null)],
  ])('is refused: %s', (_, key) => {
    expect(() => checkKey(key as string)).toThrow(expect.objectContaining({ code: 'OPTION_INVALID' }))
  })
})

describe('the id of a tick', () => {
  test('names the schedule and the instant, can be used as an id, and is read back', () => {
    expect(tickId('nightly', Date.UTC(2030, 11, 31, 3))).toBe('nightly@20301231T030000Z')
    expect(tickId('often', Date.UTC(2030, 0, 1) + 50)).toBe('often@20300101T000000.050Z')
    for (const tick of [0, 1, 999, 1000, Date.UTC(2030, 1, 28, 23, 59, 59, 900), Date.UTC(9999, 11, 31)]) {
      const id = tickId('x'.repeat(120), tick)
      expect(checkId(id)).toBe(id)
      expect(tickOf(id)).toBe(tick)
    }
  })

  test('is no other id', () => {
    for (const id of ['a', 'a@b', '20301231T030000Z', 'a@20301331T030000Z', 'a@20301231T030000', newId(5)])
      expect(tickOf(id)).toBeUndefined()
  })
})
