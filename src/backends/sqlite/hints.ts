import type { Socket } from 'node:dgram'
import { createSocket } from 'node:dgram'
import type { Connection } from './connection.ts'

const LOOPBACK = '127.0.0.1'
const HEARTBEAT_MS = 5000
const FORGET_MS = 30_000
/** Hints closer together than this become one. */
const PAUSE_MS = 1

/**
 * Tells the other processes on the file that something changed, by an empty UDP datagram on loopback. Who listens
 * stands in the table `peers`. A hint can be lost or forged without harm: it only makes a process look, and it polls anyway.
 */
export class Hints {
  readonly #db: Connection
  readonly #onHint: () => void
  readonly #socket: Socket = createSocket('udp4')
  readonly #heartbeat: NodeJS.Timeout
  #port: number | undefined
  #peers: number[] = []
  #peersReadAt = 0
  #sentAt = 0
  #later: NodeJS.Timeout | undefined

  constructor(db: Connection, onHint: () => void) {
    this.#db = db
    this.#onHint = onHint
    this.#socket.on('message', () => this.#onHint())
    this.#socket.on('error', () => {})
    this.#socket.unref()
    this.#socket.bind(0, LOOPBACK, () => {
      this.#port = this.#socket.address().port
      void this.#announce()
    })
    this.#heartbeat = setInterval(() => void this.#announce(), HEARTBEAT_MS)
    this.#heartbeat.unref()
  }

  /** Hints at once, or shortly after when one was just sent. */
  send(): void {
    if (this.#later !== undefined) return
    const passed = performance.now() - this.#sentAt
    if (passed >= PAUSE_MS) this.#send()
    else {
      this.#later = setTimeout(() => {
        this.#later = undefined
        this.#send()
      }, PAUSE_MS)
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#heartbeat)
    clearTimeout(this.#later)
    const port = this.#port
    this.#port = undefined
    this.#socket.close()
    if (port !== undefined)
      await this.#db
        .write('written', () => this.#db.sql('delete from peers where port = ?').run(port))
        .catch(() => {})
  }

  /** Never throws: where the file fails, the hint is lost. */
  #send(): void {
    this.#sentAt = performance.now()
    try {
      for (const port of this.#others()) this.#socket.send('', port, LOOPBACK, () => {})
    } catch {
      this.#peers = []
    }
  }

  #others(): number[] {
    if (performance.now() - this.#peersReadAt > 100) {
      this.#peersReadAt = performance.now()
      const rows = this.#db.read(() =>
        this.#db
          .sql('select port from peers where port <> ? and seen > ?')
          .all(this.#port ?? 0, Date.now() - FORGET_MS),
      )
      this.#peers = (rows as { port: number }[]).map(({ port }) => port)
    }
    return this.#peers
  }

  /** The system's clock on purpose: peers are processes, whatever clock the jobs run on. */
  async #announce(): Promise<void> {
    const port = this.#port
    if (port === undefined) return
    await this.#db
      .write('written', () => {
        this.#db
          .sql('insert into peers values (?, ?) on conflict do update set seen = excluded.seen')
          .run(port, Date.now())
        this.#db.sql('delete from peers where seen < ?').run(Date.now() - FORGET_MS)
      })
      .catch(() => {})
  }
}
