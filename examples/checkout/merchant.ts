import { once } from 'node:events'
import type { Server } from 'node:http'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { verify } from 'offload/webhooks'

/** Who sells: is told of each payment. It checks the signature of the bytes it got, and heeds each webhook-id once. */
export async function openMerchant(secret: string): Promise<{ url: string; server: Server }> {
  const seen = new Set<unknown>()
  const server = createServer(async (req, res) => {
    const body = await text(req)
    try {
      const { type, data } = verify(req.headers, body, secret) as {
        type: string
        data: { id: string; result?: string }
      }
      if (!seen.has(req.headers['webhook-id'])) console.log('merchant:', type, data.result)
      seen.add(req.headers['webhook-id'])
      res.writeHead(204).end()
    } catch {
      res.writeHead(400).end()
    }
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/paid`, server }
}
