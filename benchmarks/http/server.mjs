// A server of the 202 benchmark in a process of its own: `server.mjs '{"framework", "queue", "file"}'`. Both kinds read and check
// the same body and send the same answer; only one has accepted the job, fsynced, before it does.
import { createServer } from 'node:http'
import fastify from 'fastify'
import { offload, task } from 'offload'
import { accepted } from 'offload/http'
import { offloadFastify } from 'offload/http/fastify'
import { nodeHandler } from 'offload/http/node'
import { z } from 'zod'

const { framework, queue: queued, file } = JSON.parse(process.argv[2])
const input = z.object({
  orderId: z.string(),
  to: z.string(),
  lines: z.array(z.object({ sku: z.string(), n: z.number() })),
  note: z.string(),
  total: z.number(),
})
const order = task('order', { input, run: async () => {} })
const queue = offload({ url: `sqlite:${file}`, tasks: [order] })

let answers = 0

const accept = queued
  ? (body) => queue.enqueue(order, body)
  : async (body) => {
      input.parse(body)
      return { id: String(++answers).padStart(30, '0'), task: 'order', queue: 'default', duplicate: false }
    }

const servers = {
  async fastify() {
    const app = fastify()
    await app.register(offloadFastify, { queue })
    app.post('/orders', async (request, reply) => reply.accepted(await accept(request.body)))
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  'node:http': () => {
    const handler = nodeHandler(async (request) => accepted(await accept(await request.json())))
    const server = createServer(handler)
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
  },
}

const server = await servers[framework]()
process.send(server.address().port)
process.on('message', async () => {
  const { ready } = await queue.depth()
  process.send(ready, () => process.exit())
})
