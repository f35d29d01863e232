// The server of the listeners' benchmark: one job that reports progress when it is told to, followed by everybody.
import { createServer } from 'node:http'
import { offload, task } from 'offload'
import { offloadFastify } from 'offload/http/fastify'
import { nodeRoutes } from 'offload/http/node'
import { z } from 'zod'

const { framework, file } = JSON.parse(process.argv[2])
let report
const work = task('work', {
  input: z.object({}),
  run: (_, job) =>
    new Promise((done) => {
      report = (n) => {
        if (n < 0) return done({ n })
        job.progress({ n })
      }
    }),
})
const queue = offload({ url: `sqlite:${file}`, tasks: [work] })
const { id } = await queue.enqueue(work, {})
if (framework !== 'bare') queue.work({ concurrency: 1, lease: '600ms' })

/** What holding and telling so many connections costs without Offload: the floor. */
function bare() {
  const open = new Set()
  const write = (text) => {
    for (const res of open) res.write(text)
  }
  report = (n) =>
    write(n < 0 ? 'event: done\n\n' : `data: {"at":"${new Date().toISOString()}","progress":{"n":${n}}}\n\n`)
  const server = createServer((_req, res) => {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.write('event: state\n\n')
    open.add(res)
    res.once('close', () => open.delete(res))
  })
  return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
}

const servers = {
  bare,
  async fastify() {
    const { default: fastify } = await import('fastify')
    const app = fastify()
    await app.register(offloadFastify, { queue })
    await app.listen({ port: 0, host: '127.0.0.1' })
    return app.server
  },
  'node:http': () => {
    const server = createServer(nodeRoutes(queue))
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(server)))
  },
}
const server = await servers[framework]()

process.on('message', ({ memory, report: n, end }) => {
  if (n !== undefined) report(n)
  if (end) process.exit()
  if (!memory) return
  global.gc()
  setTimeout(() => {
    global.gc()
    process.send({ rss: process.memoryUsage.rss(), heap: process.memoryUsage().heapUsed })
  }, 500)
})
process.send({ port: server.address().port, id })
