// A server of the 202 benchmark in a process of its own: `server.mjs '{"framework", "queue", "file"}'`. Both kinds parse the body
// and send an answer of the same headers and length; only one checks it against a schema and has accepted the job, fsynced,
// before it does.
import { createServer } from 'node:http'
import fastify from 'fastify'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { nodeRoutes } from 'offload/http/node'
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
const accept = { '/orders': order }

let answers = 0

/** What Offload answers, of no job. */
function bare() {
  const id = String(++answers).padStart(30, '0')
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
    if (queued) await app.register(offloadFastify, { queue, accept })
    else
      app.post('/orders', async (_request, reply) => {
        const { headers, text } = bare()
        return reply.code(202).headers(headers).send(text)
      })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  'node:http': () => {
    const server = createServer(queued ? nodeRoutes(queue, { accept }) : bareHandler)
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
  },
}

async function bareHandler(req, res) {
  const parts = []
  for await (const part of req) parts.push(part)
  JSON.parse(Buffer.concat(parts).toString())
  const { headers, text } = bare()
  res.writeHead(202, headers).end(text)
}

const server = await servers[framework]()
process.send(server.address().port)
process.on('message', async () => {
  const { ready } = await queue.depth()
  process.send(ready, () => process.exit())
})
