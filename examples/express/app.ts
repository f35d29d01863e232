import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import type { Express } from 'express'
import { after, openQueue } from './after.ts'
import { before } from './before.ts'

const picture = { url: 'https://example.com/cat.png', width: 64 }

async function ask(app: Express, body: object, headers: Record<string, string> = {}): Promise<string> {
  const server = app.listen(0)
  await once(server, 'listening')
  const answer = await fetch(`http://127.0.0.1:${(server.address() as AddressInfo).port}/thumbnails`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  })
  const text = await answer.text()
  server.close()
  server.closeAllConnections()
  return `${answer.status} ${text}`
}

console.log('before:', await ask(before(), picture))
const queue = openQueue()
const worker = queue.work()
console.log('after:', (await ask(after(queue), picture)).slice(0, 3))
console.log(
  'after, by a client that prefers to wait:',
  await ask(after(queue), picture, { prefer: 'wait=5' }),
)
console.log('after, with a mistake:', await ask(after(queue), { url: 'cat', width: 1 }))
await worker.stop()
await queue.close()
