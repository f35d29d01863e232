import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'

export interface PaymentProvider extends AsyncDisposable {
  readonly url: string
  /** Every charge it ever made: the order of each. The same order twice means a customer paid twice. */
  readonly charges: readonly string[]
  /** 'silent': it charges the card, then every second answer never comes. */
  mode: 'ok' | 'silent'
}

const CHARGE_MS = 20

/** A payment provider as they are: one charge for each idempotency key, whatever becomes of the answer. */
export async function startPaymentProvider(): Promise<PaymentProvider> {
  const charges: string[] = []
  const keys = new Set<string>()

  const server = createServer(async (request, response) => {
    const key = String(request.headers['idempotency-key'])
    request.resume()
    await sleep(CHARGE_MS)
    const isNew = !keys.has(key)
    if (isNew) {
      keys.add(key)
      charges.push(key)
    }
    if (isNew && provider.mode === 'silent' && charges.length % 2 === 0) return
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ charged: key }))
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))

  const provider: PaymentProvider = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/charges`,
    charges,
    mode: 'ok',
    async [Symbol.asyncDispose]() {
      server.close()
      server.closeAllConnections()
    },
  }
  return provider
}
