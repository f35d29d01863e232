import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'
import { setTimeout as wait } from 'node:timers/promises'

type Way = 'up' | 'down'

/** What the network does to the bytes on their way. */
export interface Weather {
  /** Every piece is late by this, and by up to the jitter more. */
  readonly latencyMs?: number
  readonly jitterMs?: number
  /** Bytes arrive in pieces of so many. */
  readonly slice?: number
  readonly bytesPerSecond?: number
  /** Connections are reset after about so many bytes, in the middle of whatever it is. */
  readonly resetAfter?: number
}

/** The network between a process and a server: a TCP proxy on loopback that does what networks do. */
export class Link implements AsyncDisposable {
  weather: Weather = {}
  readonly #target: number
  readonly #random: () => number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  readonly #clients = new Set<Socket>()
  readonly #cuts = new Map<Way, number>()
  readonly #deafened = new WeakMap<Socket, ReadonlySet<Way>>()
  #healed: Promise<void> = Promise.resolve()

  private constructor(target: number, random: () => number) {
    this.#target = target
    this.#random = random
    this.#server = createServer((client) => this.#join(client)).listen(0, '127.0.0.1')
  }

  /** The random of the jitter and of where connections are reset is the middle unless told otherwise. */
  static async to(target: number, random: () => number = () => 0.5): Promise<Link> {
    const proxy = new Link(target, random)
    await once(proxy.#server, 'listening')
    return proxy
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }

  /** How many clients are connected now. */
  get connections(): number {
    return this.#clients.size
  }

  /** Nothing gets through until the answer is called; then all that was sent arrives, late. */
  partition(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#healed = promise
    return resolve
  }

  /** The connections of now are half open: what is sent these ways vanishes, and nobody is told. New ones are well. */
  deafen(ways: readonly Way[]): void {
    for (const socket of this.#sockets) this.#deafened.set(socket, new Set(ways))
  }

  /** Every connection is reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /**
   * Once: exactly so many bytes more go this way (`up`: to the server), over all connections together; then the one
   * that brought the last of them is cut. With 0 the next byte does not arrive and cuts: `down`, a reply is lost.
   */
  cutAfter(bytes: number, way: Way): void {
    this.#cuts.set(way, bytes)
  }

  /** Whether what `cutAfter()` asked for is still to come. */
  get isCutAhead(): boolean {
    return this.#cuts.size > 0
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#healed = Promise.resolve()
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    this.#clients.add(client)
    client.on('close', () => this.#clients.delete(client))
    this.#carry(client, server, 'up')
    this.#carry(server, client, 'down')
  }

  #carry(from: Socket, to: Socket, way: Way): void {
    this.#sockets.add(from)
    from.setNoDelay(true)
    let last: Promise<void> = Promise.resolve()
    let left = (this.weather.resetAfter ?? Number.POSITIVE_INFINITY) * (0.5 + this.#random())
    const isDeaf = (): boolean => this.#deafened.get(from)?.has(way) === true
    const then = (next: () => void | Promise<void>): void => {
      last = last.then(() => this.#healed).then(next)
    }
    from.on('data', (bytes) => {
      const allowed = Math.min(left, this.#cuts.get(way) ?? left)
      const isCut = allowed <= bytes.length
      left -= bytes.length
      this.#count(bytes.length, way)
      const { latencyMs = 0, jitterMs = 0 } = this.weather
      const due = performance.now() + latencyMs + jitterMs * this.#random()
      then(async () => {
        if (isDeaf() || to.destroyed) return
        if (latencyMs > 0) await wait(Math.max(0, due - performance.now()))
        await this.#deliver(isCut ? bytes.subarray(0, allowed) : bytes, to)
        if (!isCut) return
        from.destroy()
        to.destroy()
      })
    })
    from.on('error', () => {})
    from.on('close', () => {
      this.#sockets.delete(from)
      then(() => void (this.#deafened.has(from) || to.destroy()))
    })
  }

  #count(bytes: number, way: Way): void {
    const left = this.#cuts.get(way)
    if (left === undefined) return
    if (left <= bytes) this.#cuts.delete(way)
    else this.#cuts.set(way, left - bytes)
  }

  async #deliver(bytes: Buffer, to: Socket): Promise<void> {
    const { slice = bytes.length, bytesPerSecond } = this.weather
    for (let at = 0; at < bytes.length; at += slice) {
      const piece = bytes.subarray(at, at + slice)
      if (bytesPerSecond !== undefined) await wait((piece.length / bytesPerSecond) * 1000)
      await new Promise((resolve) => to.write(piece, resolve))
    }
  }
}
