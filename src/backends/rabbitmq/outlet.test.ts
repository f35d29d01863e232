import type { ConfirmChannel } from 'amqplib'
import { describe, expect, test } from 'vitest'
import { channelOffline, framesIn } from '../../../test/rabbitmq/wire.ts'
import type { Outgoing, Outlet } from './outlet.ts'
import { outletOf } from './outlet.ts'

const FRAME_MAX = 131_072

const message = (messageId: string): Outgoing => ({
  exchange: 'offload.jobs',
  key: 'default',
  queue: 'default',
  body: Buffer.from('{}'),
  properties: {
    messageId,
    persistent: true,
    mandatory: true,
    timestamp: 1_700_000_000,
    type: 'mail.send',
    headers: {},
  },
})

/** Publishes them and keeps what became of each. */
function publish(outlet: Outlet, ids: readonly string[]): string[] {
  const answers: string[] = []
  for (const id of ids)
    outlet.add(message(id), (error) => void answers.push(`${id} ${error?.message ?? 'confirmed'}`))
  outlet.flush()
  return answers
}

describe('a channel of the client', () => {
  test('is given all that was added in one write, and tells what became of each', () => {
    const { channel, written } = channelOffline(FRAME_MAX)
    const answers = publish(outletOf(channel), ['a', 'b', 'c'])
    // The client itself would write in the next turn.
    expect(written).toHaveLength(1)
    expect(framesIn(written[0] ?? Buffer.alloc(0), FRAME_MAX)).toHaveLength(9)
    channel.emit('ack', { deliveryTag: 2, multiple: true })
    channel.emit('nack', { deliveryTag: 3, multiple: false })
    expect(answers).toEqual(['a confirmed', 'b confirmed', 'c message nacked'])
  })

  test('that is closed answers for what it was given, and takes nothing more', () => {
    const { channel, written } = channelOffline(FRAME_MAX)
    const outlet = outletOf(channel)
    const answers = publish(outlet, ['a'])
    channel.emit('close')
    expect(answers).toEqual(['a channel closed'])
    expect(() => publish(outlet, ['b'])).toThrow('closed')
    expect(written).toHaveLength(1)
  })

  test('that does not show how it writes is published over as it says', () => {
    const published: unknown[] = []
    const channel = { publish: (...words: unknown[]) => published.push(words) }
    const onAnswer = (): void => {}
    outletOf(channel as unknown as ConfirmChannel).add(message('a'), onAnswer)
    const { exchange, key, body, properties } = message('a')
    expect(published).toEqual([[exchange, key, body, properties, onAnswer]])
  })
})
