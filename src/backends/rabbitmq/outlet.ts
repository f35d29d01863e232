import type { ConfirmChannel } from 'amqplib'
import { Frames } from './frames.ts'
import type { Content } from './message.ts'

/** A message and where it goes. */
export interface Outgoing extends Content {
  /** For which it is, through whatever exchange. */
  readonly queue: string
  readonly exchange: string
  readonly key: string
}

export type OnAnswer = (error: Error | null) => void

/** Where messages leave over a channel in confirm mode. */
export interface Outlet {
  /** @throws where it is closed, or the message cannot be one */
  add(message: Outgoing, onAnswer: OnAnswer): void
  /** What was added goes out now, at the latest. */
  flush(): void
}

/** What amqplib 2 has and does not tell of: how a channel writes, and who is told what became of the next message. */
interface Inner {
  readonly ch: number
  readonly connection: { readonly frameMax: number; sendBytes(bytes: Buffer): void }
  pushConfirmCallback(onAnswer: OnAnswer): void
}

/** Everything that is published over the channel must go through it: it writes past the queue of the channel. */
export function outletOf(channel: ConfirmChannel): Outlet {
  const inner = innerOf(channel)
  return inner === undefined ? plain(channel) : direct(channel, inner)
}

function innerOf(channel: ConfirmChannel): Inner | undefined {
  const { ch, connection, pushConfirmCallback } = channel as unknown as Partial<Inner>
  const isThere =
    Number.isInteger(ch) &&
    Number.isInteger(connection?.frameMax) &&
    typeof connection?.sendBytes === 'function' &&
    typeof pushConfirmCallback === 'function'
  return isThere ? (channel as unknown as Inner) : undefined
}

function direct(channel: ConfirmChannel, inner: Inner): Outlet {
  const { ch, connection } = inner
  const frames = new Frames(ch, connection.frameMax, (bytes) => connection.sendBytes(bytes))
  let isClosed = false
  channel.on('close', () => {
    isClosed = true
  })
  return {
    add({ exchange, key, body, properties }, onAnswer) {
      if (isClosed) throw new Error('the channel was closed')
      frames.add(exchange, key, body, properties)
      inner.pushConfirmCallback(onAnswer)
    },
    flush: () => frames.flush(),
  }
}

function plain(channel: ConfirmChannel): Outlet {
  return {
    add({ exchange, key, body, properties }, onAnswer) {
      channel.publish(exchange, key, body, properties, onAnswer)
    },
    flush() {},
  }
}
