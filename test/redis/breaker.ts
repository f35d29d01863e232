import { once } from 'node:events'
import type { AddressInfo, Server, Socket } from 'node:net'
import { connect, createServer } from 'node:net'

/** Where in an exchange the network fails, and how: the connection is cut, or from there on every byte vanishes in silence. */
export const breaks = [
  'request cut',
  'reply lost',
  'reply cut',
  'request swallowed',
  'reply swallowed',
] as const
export type Break = (typeof breaks)[number]

interface Trap {
  readonly word: string
  readonly how: Break
  readonly sprung: () => void
}

/** The network before a Redis server, which fails in the middle of a command that it is told to wait for. */
export class Breaker implements AsyncDisposable {
  readonly #target: number
  readonly #server: Server
  readonly #sockets = new Set<Socket>()
  #trap: Trap | undefined

  private constructor(target: number) {
    this.#target = target
    this.#server = createServer((client) => this.#join(client)).listen(0, '127.0.0.1')
  }

  static async to(target: number): Promise<Breaker> {
    const breaker = new Breaker(target)
    await once(breaker.#server, 'listening')
    return breaker
  }

  get url(): string {
    return `redis://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Fails once, at the next request with this word in it. The answer tells whether it has. @param word in lower case */
  set(word: string, how: Break): () => boolean {
    let isSprung = false
    this.#trap = {
      word,
      how,
      sprung: () => {
        isSprung = true
      },
    }
    return () => isSprung
  }

  /** Every connection is reset. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #join(client: Socket): void {
    const server = connect(this.#target, '127.0.0.1')
    const both = [client, server]
    const end = (): void => {
      for (const socket of both) socket.destroy()
    }
    for (const socket of both) {
      this.#sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.#sockets.delete(socket)
        end()
      })
    }
    let broken: Break | undefined
    client.on('data', (bytes) => {
      if (broken?.endsWith('swallowed')) return
      const trap = this.#trap
      const at = trap === undefined ? -1 : bytes.toString('latin1').toLowerCase().indexOf(trap.word)
      if (trap === undefined || at === -1) {
        server.write(bytes)
        return
      }
      this.#trap = undefined
      broken = trap.how
      trap.sprung()
      if (!broken.startsWith('request')) server.write(bytes)
      else server.write(bytes.subarray(0, at + Math.floor(trap.word.length / 2)))
      if (broken === 'request cut') server.end(() => end())
    })
    server.on('data', (bytes) => {
      if (broken === undefined) client.write(bytes)
      else if (broken === 'reply lost') end()
      else if (broken === 'reply cut') client.write(bytes.subarray(0, bytes.length / 2), end)
    })
  }
}
