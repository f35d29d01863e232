import type { Options } from 'amqplib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jobsOf } from '../../../test/rabbitmq/jobs.ts'
import { overTheWire } from '../../../test/rabbitmq/wire.ts'
import type { Job } from '../../job/job.ts'
import type { Received, Route } from './message.ts'
import { contentOf, deathOf, received } from './message.ts'

const NOW = 1_700_000_000_000
const OWN_ID = /^[0-9a-hjkmnp-tv-z]{30}$/

/** The one job of a message. */
function read(
  body: string | Buffer,
  properties: Options.Publish = {},
  fields: Parameters<typeof overTheWire>[2] = {},
  routes: readonly Route[] = [],
): Received {
  const all = received(overTheWire(Buffer.from(body), properties, fields), 'q', routes, NOW)
  expect(all).toHaveLength(1)
  return all[0] as Received
}

describe('a job of ours', () => {
  test('is the same after its way through the server, with the attempts it had', () => {
    fc.assert(
      fc.property(jobsOf('q'), fc.nat(1000), fc.boolean(), (job, attempts, isAlone) => {
        const { body, properties } = contentOf(job, attempts, isAlone ? 'offload' : 'offload/ledger')
        const message = overTheWire(body, properties)
        const [came, ...others] = received(message, 'q', [], NOW)
        expect(others).toEqual([])
        expect(came).toEqual({ job, attempts, isRemembered: !isAlone })
      }),
      { numRuns: 500 },
    )
  })

  test('is kept on disk, comes back where no queue is, and can be read by other programs', () => {
    const job: Job = {
      id: 'a',
      task: 'mail.send',
      queue: 'q',
      payload: '{"to":"ü"}',
      priority: 7,
      createdAt: 1_700_000_000_999,
      maxAttempts: 3,
      runAt: 1_700_000_001_000,
      tenant: 'ada',
      trace: { traceparent: '00-a-b-01', own: 'x' },
    }
    const { body, properties } = contentOf(job, 2, 'offload')
    expect(body.toString()).toBe('{"to":"ü"}')
    expect(properties).toEqual({
      messageId: 'a',
      correlationId: 'a',
      appId: 'offload',
      type: 'mail.send',
      contentType: 'application/json',
      persistent: true,
      mandatory: true,
      timestamp: 1_700_000_000,
      priority: 7,
      headers: {
        'offload-created-at': 1_700_000_000_999,
        'offload-max-attempts': 3,
        'offload-attempts': 2,
        'offload-run-at': 1_700_000_001_000,
        'offload-tenant': 'ada',
        'offload-trace-own': 'x',
        traceparent: '00-a-b-01',
      },
    })
  })

  test('that came back is an attempt more: as often as a quorum queue says, or once where none does', () => {
    const { body, properties } = contentOf(
      { id: 'a', task: 't', queue: 'q', payload: '1', priority: 4, createdAt: 1, maxAttempts: 9 },
      2,
      'offload',
    )
    const counted = { ...properties, headers: { ...properties.headers, 'x-delivery-count': 3 } }
    const attempts = (of: Options.Publish, redelivered: boolean): number =>
      read(body, of, { redelivered }).attempts
    expect(attempts(properties, false)).toBe(2)
    expect(attempts(properties, true)).toBe(3)
    expect(attempts(counted, true)).toBe(5)
  })
})

describe("a stranger's message", () => {
  test('with nothing but a body is a job of the task that its routing key names', () => {
    const { job, ...rest } = read('{"n":1}', {}, { routingKey: 'order.placed' })
    expect(rest).toEqual({ attempts: 0, isRemembered: false })
    expect(job).toEqual({
      id: expect.stringMatching(OWN_ID),
      task: 'order.placed',
      queue: 'q',
      payload: '{"n":1}',
      priority: 4,
      createdAt: NOW,
      maxAttempts: 5,
    })
  })

  test('is of the task of its route, then of its type, then of its routing key', () => {
    const route: Route = {
      exchange: 'shop',
      key: 'order.placed',
      task: 'ship',
      queue: 'q',
      priority: 7,
      maxAttempts: 2,
    }
    const at = { exchange: 'shop', routingKey: 'order.placed' }
    expect(read('1', { type: 'other' }, at, [route]).job).toMatchObject({
      task: 'ship',
      priority: 7,
      maxAttempts: 2,
    })
    expect(read('1', { type: 'other', priority: 0 }, at, [route]).job.priority).toBe(0)
    expect(read('1', { type: 'other' }, { ...at, exchange: 'else' }, [route]).job.task).toBe('other')
    expect(read('1', { type: 'other' }, { ...at, routingKey: 'order' }, [route]).job.task).toBe('other')
    expect(read('1', {}, { ...at, exchange: 'else' }, [route]).job.task).toBe('order.placed')
    expect(read('1').job.task).toBe('unknown')
  })

  test('keeps its own id where that can be one, and gets a new one otherwise', () => {
    expect(read('1', { messageId: 'order-1' }).job.id).toBe('order-1')
    for (const messageId of [
      undefined,
      '',
      '../../etc',
      'a b',
      '-a',
      'ü',
      'a\nb',
      '__proto__',
      'x'.repeat(201),
    ])
      expect(read('1', messageId === undefined ? {} : { messageId }).job.id).toMatch(OWN_ID)
  })

  test('has the time of its timestamp, in seconds', () => {
    expect(read('1', { timestamp: 1_600_000_000 }).job.createdAt).toBe(1_600_000_000_000)
    expect(read('1', { timestamp: 2 ** 52 }).job.createdAt).toBe(NOW)
  })

  test('has bounds for all that it asks for', () => {
    const headers = {
      'offload-max-attempts': 0,
      'offload-attempts': -5,
      'offload-run-at': -1,
      'offload-deadline': 1.5,
      'offload-key': 'k'.repeat(201),
      'offload-tenant': 't'.repeat(201),
      'offload-created-at': 253_402_300_800_000,
      traceparent: 't'.repeat(5000),
    }
    const { job, attempts } = read('1', { type: 't'.repeat(121), priority: 200, headers })
    expect(attempts).toBe(0)
    expect(Object.keys(job).toSorted()).toEqual([
      'createdAt',
      'id',
      'maxAttempts',
      'payload',
      'priority',
      'queue',
      'task',
    ])
    expect(job).toMatchObject({ createdAt: NOW, maxAttempts: 5, priority: 4, task: 'unknown' })
  })

  test('never makes anything but a job of its headers, whatever their types', () => {
    const names = [
      'offload-created-at',
      'offload-max-attempts',
      'offload-attempts',
      'offload-run-at',
      'offload-deadline',
      'offload-key',
      'offload-tenant',
      'offload-trace-own',
      'offload-trace-__proto__',
      'traceparent',
      'x-delivery-count',
      '__proto__',
      'constructor',
      'toString',
    ]
    const value = fc.oneof(
      fc.string(),
      fc.maxSafeInteger(),
      fc.integer(),
      fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 }),
      fc.boolean(),
      fc.constant(null),
      fc.array(fc.string(), { maxLength: 2 }),
      fc.dictionary(fc.stringMatching(/^\w*$/), fc.string(), { maxKeys: 2 }),
      fc.constant({ '!': 'timestamp', value: 1 }),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => Buffer.from(bytes)),
    )
    fc.assert(
      fc.property(fc.dictionary(fc.constantFrom(...names), value), fc.uint8Array(), (headers, body) => {
        const { job, attempts, isRemembered } = read(Buffer.from(body), { headers })
        expect(isRemembered).toBe(false)
        expect(Number.isInteger(attempts) && attempts >= 0).toBe(true)
        for (const of of ['maxAttempts', 'priority'] as const)
          expect(Number.isSafeInteger(job[of])).toBe(true)
        for (const of of ['createdAt', 'runAt', 'deadline'] as const)
          if (job[of] !== undefined) expect(new Date(job[of]).toISOString()).toMatch(/^\d{4}-/)
        for (const of of ['id', 'task', 'queue', 'payload'] as const) expect(typeof job[of]).toBe('string')
        for (const of of ['key', 'tenant'] as const)
          expect(job[of] === undefined || typeof job[of] === 'string').toBe(true)
        expect(Object.values(job.trace ?? {}).every((one) => typeof one === 'string')).toBe(true)
      }),
      { numRuns: 500 },
    )
  })

  test('with a header __proto__ changes no job and no other object', () => {
    // The way it comes from a client in another language.
    const headers = JSON.parse(
      '{"__proto__":{"offload-key":"k","offload-attempts":7},"offload-trace-__proto__":"x"}',
    )
    const { job, attempts } = read('1', { headers })
    expect([job.key, attempts]).toEqual([undefined, 0])
    expect(job.trace).toEqual(JSON.parse('{"__proto__":"x"}'))
    expect(({} as Record<string, unknown>)['offload-key']).toBeUndefined()
  })

  test('that is not UTF-8 is said to be, and kept in a text that is no JSON', () => {
    for (const bytes of [
      [0xff, 0xfe, 0],
      [0xc3],
      [0xed, 0xa0, 0x80],
      [0xd7, 0x6d, 0xf8],
      [0xb6, 0xbb, 0x9e],
    ]) {
      const { job, malformed } = read(Buffer.from(bytes))
      expect(malformed).toMatch(/not UTF-8/)
      expect(job.payload).toContain(Buffer.from(bytes).toString('base64'))
      expect(() => JSON.parse(job.payload)).toThrow(SyntaxError)
    }
  })

  test('may begin with a byte order mark', () => {
    expect(read('\uFEFF{"n":1}').job.payload).toBe('{"n":1}')
  })
})

describe('a dead letter', () => {
  test('says why, in words of a bounded length', () => {
    const fault = { code: 'HANDLER_FAILED', name: 'Error', message: 'x'.repeat(5000), attempt: 3, at: NOW }
    expect(deathOf(fault)).toEqual({
      'offload-fault-code': 'HANDLER_FAILED',
      'offload-fault-name': 'Error',
      'offload-fault-message': 'x'.repeat(1000),
      'offload-fault-attempt': 3,
      'offload-ended-at': NOW,
    })
  })
})
