import { describe, expect, test } from 'vitest'
import type { LimitOptions } from './options.ts'
import { roomOf } from './options.ts'

const PAYLOAD = 100

describe('the room of a queue', () => {
  test.each<[string, LimitOptions, { jobs: number; bytes: number }]>([
    ['a million jobs of any size unless told otherwise', {}, { jobs: 1_000_000, bytes: Infinity }],
    ['the same for all queues', { waiting: 3, waitingBytes: 200 }, { jobs: 3, bytes: 200 }],
    ['its own', { waiting: { mail: 5 }, waitingBytes: { mail: 100 } }, { jobs: 5, bytes: 100 }],
    [
      'that of the others where it is not named',
      { waiting: { other: 5 }, waitingBytes: { other: 100 } },
      { jobs: 1_000_000, bytes: Infinity },
    ],
  ])('is %s', (_, limits, room) => {
    expect(roomOf(limits, PAYLOAD)('mail')).toEqual(room)
  })

  test('is no property of an object: a queue may have any name', () => {
    expect(roomOf({ waitingBytes: { mail: 100 } }, PAYLOAD)('constructor').bytes).toBe(Infinity)
  })

  test.each<[string, LimitOptions]>([
    ['limits.waiting must be a whole number above 0', { waiting: 0 }],
    ['limits.waitingBytes must be a whole number above 0', { waitingBytes: 0.5 }],
    ['limits.waitingBytes.mail must be a whole number above 0', { waitingBytes: { mail: -1 } }],
    ['limits.waitingBytes.mail must be at least limits.payloadBytes', { waitingBytes: { mail: 99 } }],
  ])('is refused: %s', (message, limits) => {
    expect(() => roomOf(limits, PAYLOAD)).toThrow(
      expect.objectContaining({ code: 'OPTION_INVALID', message: expect.stringContaining(message) }),
    )
  })
})
