import { EventEmitter } from 'node:events'
import type { Channel, ConsumeMessage } from 'amqplib'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Unacked } from './unacked.ts'

/** Keeps the rules of a server: what it does not know as delivered closes the channel. */
class FakeChannel extends EventEmitter {
  readonly delivered = new Set<number>()
  readonly acked: number[] = []
  readonly givenBack: number[] = []
  calls = 0

  async close(): Promise<void> {
    this.emit('close')
  }

  ack({ fields: { deliveryTag } }: ConsumeMessage, allUpTo = false): void {
    this.calls++
    if (!this.delivered.has(deliveryTag)) throw new Error(`PRECONDITION_FAILED - unknown tag ${deliveryTag}`)
    for (const tag of [...this.delivered])
      if (tag === deliveryTag || (allUpTo && tag < deliveryTag)) {
        this.delivered.delete(tag)
        this.acked.push(tag)
      }
  }

  nack({ fields: { deliveryTag } }: ConsumeMessage, allUpTo: boolean, requeue: boolean): void {
    if (!this.delivered.delete(deliveryTag) || allUpTo || !requeue) throw new Error('PRECONDITION_FAILED')
    this.givenBack.push(deliveryTag)
  }
}

function open(): { channel: FakeChannel; unacked: Unacked; deliver(tag: number): number } {
  const channel = new FakeChannel()
  const unacked = new Unacked(channel as unknown as Channel)
  return {
    channel,
    unacked,
    deliver(tag) {
      channel.delivered.add(tag)
      unacked.add(tag)
      return tag
    },
  }
}

const sorted = (tags: readonly number[]): number[] => tags.toSorted((a, b) => a - b)

describe('messages that are not acknowledged', () => {
  test('are each ended once and no other with them, in whatever order they end and come', () => {
    const step = fc.record({
      deliver: fc.nat(4),
      picks: fc.array(fc.nat(), { maxLength: 6 }),
      isGivenBack: fc.boolean(),
      isTwice: fc.boolean(),
    })
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 20 }), (steps) => {
        const { channel, unacked, deliver } = open()
        const held: number[] = []
        const acked: number[] = []
        const returned: number[] = []
        let tag = 0
        for (const { deliver: count, picks, isGivenBack, isTwice } of steps) {
          for (let nth = 0; nth < count; nth++) held.push(deliver(++tag))
          const ended = picks.flatMap((pick) => held.splice(pick % (held.length || 1), 1))
          if (isGivenBack) unacked.giveBack(ended)
          else unacked.ack(ended)
          if (isTwice) unacked.ack([...ended, ...ended])
          ;(isGivenBack ? returned : acked).push(...ended)
          expect(sorted(channel.acked)).toEqual(sorted(acked))
          expect(sorted(channel.givenBack)).toEqual(sorted(returned))
          expect(unacked.size).toBe(held.length)
        }
        unacked.ack(held)
        expect(channel.delivered.size).toBe(0)
        expect(unacked.size).toBe(0)
      }),
      { numRuns: 500 },
    )
  })

  test('that are the oldest are acknowledged in one word', () => {
    const { channel, unacked, deliver } = open()
    const messages = Array.from({ length: 1000 }, (_, nth) => deliver(nth + 1))
    unacked.ack(messages.toReversed())
    expect(channel.calls).toBe(1)
    expect(channel.acked).toHaveLength(1000)
  })

  test('are none once the channel is closed: the server has them again', () => {
    const { channel, unacked, deliver } = open()
    const message = deliver(1)
    expect(unacked.isOpen).toBe(true)
    channel.emit('close')
    expect(unacked.isOpen).toBe(false)
    expect(unacked.size).toBe(0)
    unacked.ack([message])
    unacked.giveBack([message])
    expect(channel.acked).toEqual([])
    expect(channel.givenBack).toEqual([])
  })

  test('of a queue that was deleted end without a word to the server', () => {
    const { channel, unacked, deliver } = open()
    const [one, two] = [deliver(1), deliver(2)]
    unacked.leave()
    expect([unacked.isOpen, unacked.size]).toEqual([true, 0])
    expect(unacked.ack([one])).toBe(true)
    unacked.giveBack([two])
    expect([channel.calls, channel.givenBack]).toEqual([0, []])
  })
})
