import { connect } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'
import { connect as connectTls } from 'node:tls'
import type { Redis, RedisOptions } from 'ioredis'
import type { Node, Slot } from './slot-master.ts'
import { askForMaster } from './slot-master.ts'

type Library = Pick<typeof import('ioredis'), 'Redis' | 'AbstractConnector'>

/**
 * Makes clients that are with the master of one slot, which is asked for at each connection. Nothing is sent on to another
 * node behind our back: while a slot is on its way to another node, a script that followed its keys would meet half of them.
 * @param retry milliseconds before nodes are asked again
 */
export function slotClients(
  { Redis, AbstractConnector }: Library,
  slot: Slot,
  retry: (times: number) => number,
): () => Redis {
  const master = askForMaster(Redis, slot)
  const made: SlotConnector[] = []

  class SlotConnector extends AbstractConnector {
    readonly #tls: RedisOptions['tls']
    #node: Node | undefined
    #closing = new AbortController()

    constructor(own: unknown) {
      const { disconnectTimeout = 2000, tls } = own as RedisOptions & { disconnectTimeout?: number }
      super(disconnectTimeout)
      this.#tls = tls
      made.push(this)
    }

    override check({ role }: { role?: string }): boolean {
      return role === undefined || role === 'master'
    }

    /** Goes on until a node is named or the client is closed: if this failed, the client would never try again. */
    async connect(tell: (type: string, error: Error) => void): Promise<typeof this.stream> {
      this.connecting = true
      this.#closing = new AbortController()
      this.#node = undefined
      for (let times = 1; ; times++) {
        const node = await master().catch((error: Error) => void tell('error', error))
        if (!this.connecting) throw new Error('Connection is closed.')
        if (node !== undefined) return this.#join(node)
        await wait(retry(times), undefined, this.#closing).catch(() => {})
      }
    }

    override disconnect(): void {
      this.#closing.abort()
      super.disconnect()
    }

    #join(node: Node): typeof this.stream {
      this.#node = node
      // The client that was made first is the one for commands: where the slot has gone, who listens goes too.
      if (made[0] === this) for (const other of made) other.#leaveUnlessAt(node)
      const { host, port } = node
      this.stream = this.#tls === undefined ? connect(port, host) : connectTls({ host, port, ...this.#tls })
      this.stream.once('error', (error) => {
        this.firstError = error
      })
      return this.stream
    }

    #leaveUnlessAt({ host, port }: Node): void {
      const isElsewhere = this.#node !== undefined && (this.#node.host !== host || this.#node.port !== port)
      if (isElsewhere) this.stream.destroy()
    }
  }

  return () => new Redis({ ...slot.options, Connector: SlotConnector })
}
