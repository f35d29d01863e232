// A server of the 202 benchmark in a process of its own: `server.mjs '{"framework", "queue", "url", "port"}'`. All kinds parse the
// body and send an answer of the same headers and length: 'none' of no job, 'bullmq' when BullMQ has added it, 'offload' when it
// was checked against a schema and accepted.
import { createServer } from 'node:http'
import fastify from 'fastify'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { nodeRoutes } from 'offload/http/node'
import { z } from 'zod'

const { framework, queue: kind, url, port } = JSON.parse(process.argv[2])
const input = z.object({
  orderId: z.string(),
  to: z.string(),
  lines: z.array(z.object({ sku: z.string(), n: z.number() })),
  note: z.string(),
  total: z.number(),
})
const order = task('order', { input, run: async () => {} })
const logger = { debug() {}, info() {}, warn() {}, error: console.error }
const queue = offload({ url, tasks: [order], logger })
const accept = { '/orders': order }
const bullmq =
  kind === 'bullmq' ? await (await import('../peers/bullmq.mjs')).open({ name: 'orders', port }) : undefined

let answers = 0

/** What Offload answers, of a job of BullMQ's or of none. */
function answerOf(number) {
  const id = String(number).padStart(30, '0')
  const self = `/jobs/${id}`
  const links = { self, events: `${self}/events`, cancel: `${self}/cancel` }
  const headers = {
    'content-type': 'application/json',
    location: self,
    'retry-after': '1',
    'cache-control': 'no-store',
    vary: 'Prefer',
  }
  return { headers, text: JSON.stringify({ id, task: 'order', queue: 'default', state: 'queued', links }) }
}

const servers = {
  async fastify() {
    const app = fastify()
    if (kind === 'offload') await app.register(offloadFastify, { queue, accept })
    else
      app.post('/orders', async (request, reply) => {
        const { headers, text } = answerOf(bullmq ? (await bullmq.add(request.body)).id : ++answers)
        return reply.code(202).headers(headers).send(text)
      })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  'node:http': () => {
    const server = createServer(kind === 'offload' ? nodeRoutes(queue, { accept }) : handler)
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
  },
}

async function handler(req, res) {
  const parts = []
  for await (const part of req) parts.push(part)
  const body = JSON.parse(Buffer.concat(parts).toString())
  const { headers, text } = answerOf(bullmq ? (await bullmq.add(body)).id : ++answers)
  res.writeHead(202, headers).end(text)
}

const server = await servers[framework]()
process.send(server.address().port)
process.on('message', async () => {
  const ready = bullmq === undefined ? (await queue.depth()).ready : await bullmq.waiting()
  process.send(ready, () => process.exit())
})
