import { runInNewContext } from 'node:vm'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { OffloadError } from './errors.ts'
import { faultOf } from './fault.ts'

const hostile = (): never => {
  throw new Error('hostile')
}
const circular: Record<string, unknown> = {}
circular.self = circular
const revoked = Proxy.revocable({}, {})
revoked.revoke()
const traps: ProxyHandler<Error> = {
  get: hostile,
  getPrototypeOf: hostile,
  has: hostile,
  ownKeys: hostile,
  getOwnPropertyDescriptor: hostile,
}

const UNDESCRIBED = 'a value that cannot be described was thrown'

describe('whatever is thrown', () => {
  test.each<[string, unknown, string, string]>([
    ['a string', 'out of paper', 'string', 'out of paper'],
    ['undefined', undefined, 'undefined', 'undefined'],
    ['null', null, 'object', 'null'],
    ['a number', 42, 'number', '42'],
    ['a bigint', 42n, 'bigint', '42'],
    ['a symbol', Symbol('why'), 'symbol', 'Symbol(why)'],
    ['a plain object', { reason: 'none' }, 'object', '{"reason":"none"}'],
    ['an object with a message', { name: 'Odd', message: 'so' }, 'Odd', 'so'],
    ['a circular object', circular, 'object', UNDESCRIBED],
    ['a revoked proxy', revoked.proxy, 'object', UNDESCRIBED],
    ['a proxy whose traps throw', new Proxy(new Error('no'), traps), 'object', UNDESCRIBED],
    [
      'getters that throw',
      {
        get name() {
          return hostile()
        },
        get message() {
          return hostile()
        },
        get stack() {
          return hostile()
        },
      },
      'object',
      UNDESCRIBED,
    ],
    ['toJSON that throws', { toJSON: hostile }, 'object', UNDESCRIBED],
    ['a message that is no text', { message: { deep: 1n } }, 'object', UNDESCRIBED],
    ['an error without a message', new Error(''), 'Error', ''],
    ['an error of another realm', runInNewContext('new RangeError("far")'), 'RangeError', 'far'],
  ])('becomes a storable fault: %s', (_, thrown, name, message) => {
    const fault = faultOf(thrown, 2, 77)
    expect(fault).toMatchObject({ code: 'HANDLER_FAILED', name, message, attempt: 2, at: 77 })
    expect(JSON.parse(JSON.stringify(fault))).toEqual(fault)
  })

  test('becomes a bounded, well-formed fault, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.anything({ withBigInt: true, withNullPrototype: true, withSparseArray: true }),
        (thrown) => {
          const fault = faultOf(thrown, 1, 1)
          expect(fault.message.length).toBeLessThanOrEqual(4001)
          expect(fault.message.isWellFormed()).toBe(true)
          expect(JSON.parse(JSON.stringify(fault))).toEqual(fault)
        },
      ),
    )
  })

  test('keeps its stack, and none when there is none', () => {
    expect(faultOf(new Error('no'), 1, 1).stack).toContain('fault.test.ts')
    expect(faultOf('no', 1, 1)).not.toHaveProperty('stack')
    expect(faultOf({ stack: 7 }, 1, 1)).not.toHaveProperty('stack')
  })

  test('is cut when it is giant', () => {
    const giant = new Error('m'.repeat(1e6))
    giant.name = 'n'.repeat(1e6)
    giant.stack = 's'.repeat(1e6)
    const fault = faultOf(giant, 1, 1)
    expect([fault.name.length, fault.message.length, fault.stack?.length]).toEqual([101, 2001, 4001])
    expect(faultOf('m'.repeat(1e6), 1, 1).message).toHaveLength(2001)
    expect(faultOf({ data: 'm'.repeat(1e6) }, 1, 1).message).toHaveLength(2001)
  })

  test('loses what a store cannot hold: NUL and lone surrogates', () => {
    expect(faultOf(new Error('a\u0000b'), 1, 1).message).toBe('a\\0b')
    expect(faultOf('\ud800', 1, 1).message).toBe('\ufffd')
    const cutInHalf = faultOf(`${'m'.repeat(1999)}😀 and more`, 1, 1).message
    expect(cutInHalf.isWellFormed()).toBe(true)
  })
})

describe('the code of a fault', () => {
  test('is that of an error of Offload, or HANDLER_FAILED', () => {
    expect(faultOf(new OffloadError('JOB_TIMEOUT', 'late'), 1, 1).code).toBe('JOB_TIMEOUT')
    expect(faultOf(Object.assign(new Error('no'), { code: 'JOB_TIMEOUT' }), 1, 1).code).toBe('HANDLER_FAILED')
  })

  test('is HANDLER_FAILED when it cannot be read', () => {
    const proxy = new Proxy(new OffloadError('JOB_TIMEOUT', 'late'), { get: hostile })
    expect(faultOf(proxy, 1, 1).code).toBe('HANDLER_FAILED')
  })
})
