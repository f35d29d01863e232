import type { AddressInfo, Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { simpleParser } from 'mailparser'
import { SMTPServer } from 'smtp-server'

export interface MailProvider extends AsyncDisposable {
  readonly port: number
  /** How often each Message-ID was handed over. Only the first is delivered, as providers with idempotency keys do. */
  readonly received: ReadonlyMap<string, number>
  setMode(mode: 'ok' | 'slow' | 'dead'): Promise<void>
}

const DELAY_MS = { ok: 10, slow: 2500, dead: 0 }

/** A mail server that can turn slow, and die: then its port is closed and every connection is cut. */
export async function startMailProvider(): Promise<MailProvider> {
  const received = new Map<string, number>()
  let mode: keyof typeof DELAY_MS = 'ok'
  let running = await open(0)
  const { port } = running

  async function open(atPort: number): Promise<{ port: number; close(): Promise<void> }> {
    const sockets = new Set<Socket>()
    const smtp = new SMTPServer({
      disabledCommands: ['AUTH', 'STARTTLS'],
      disableReverseLookup: true,
      async onData(stream, _session, accept) {
        const message = await simpleParser(stream).catch(() => undefined)
        if (message === undefined) return accept(new Error('the sender went away in the middle of its mail'))
        const { messageId: id = 'none' } = message
        await sleep(DELAY_MS[mode])
        // Taken, even if the server dies now and the answer is lost: the shop will send it again.
        received.set(id, (received.get(id) ?? 0) + 1)
        accept()
      },
    })
    smtp.on('error', () => {
      // A client that goes away in the middle is its own business.
    })
    smtp.server.on('connection', (socket: Socket) => {
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((done) => smtp.listen(atPort, '127.0.0.1', done))
    return {
      port: (smtp.server.address() as AddressInfo).port,
      close: () =>
        new Promise((done) => {
          smtp.close(done)
          for (const socket of sockets) socket.destroy()
        }),
    }
  }

  return {
    port,
    received,
    async setMode(next) {
      if (mode === 'dead' && next !== 'dead') running = await open(port)
      const died = next === 'dead' && mode !== 'dead'
      mode = next
      if (died) await running.close()
    },
    async [Symbol.asyncDispose]() {
      if (mode !== 'dead') await running.close()
    },
  }
}
