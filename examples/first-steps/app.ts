import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { offload, task } from 'offload'
import { accepted, jobRoutes } from 'offload/http'
import { nodeHandler } from 'offload/http/node'
import { z } from 'zod'

const sendReceipt = task('email.receipt', {
  input: z.object({ orderId: z.string(), to: z.email() }),
  retry: { attempts: 8 },
  timeout: '30s',
  async run({ to }, job) {
    job.progress('rendering')
    return `sent to ${to}`
  },
})

const queue = offload({ url: 'sqlite:offload.db', tasks: [sendReceipt] })
const routes = jobRoutes(queue)
const orderBody = z.object({ orderId: z.string(), to: z.string() })

const server = createServer(
  nodeHandler(async (request) => {
    const found = await routes(request)
    if (found !== undefined || request.method !== 'POST') return found
    const order = orderBody.parse(await request.json())
    return accepted(await queue.enqueue(sendReceipt, order, { priority: 7 }))
  }),
).listen(0)
await once(server, 'listening')

// In the same process or another:
const worker = queue.work({ concurrency: 50 })

// A customer:
const shop = `http://localhost:${(server.address() as AddressInfo).port}`
const body = JSON.stringify({ orderId: '1', to: 'ada@example.com' })
const answer = await fetch(`${shop}/orders`, { method: 'POST', body })
console.log(answer.status, 'queued')

const link = shop + answer.headers.get('location')
let job = await readJob()
while (job.state !== 'done') {
  await sleep(50)
  job = await readJob()
}
console.log(job.state, job.result)

server.close()
await worker.stop()
await queue.close()

async function readJob(): Promise<{ state: string; result?: string }> {
  return (await fetch(link)).json() as Promise<{ state: string; result?: string }>
}
