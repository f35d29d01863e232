import { createServer } from 'node:http'
import { offload } from 'offload'
import { dashboard } from 'offload/dashboard'

/** A dashboard alone in its process; asked for it, it tells the CPU that it used (µs). */
const { url, jobs } = JSON.parse(process.argv[2] ?? '')
const queue = offload({
  url,
  tasks: [],
  retention: { endedCount: jobs, deadCount: jobs },
})
await queue.ready()
const board = dashboard(queue, { authorize: () => true })
const server = createServer((req, res) => board.node(req, res)).listen(0, '127.0.0.1', () => {
  process.send(server.address().port)
})
process.on('message', () => {
  const { user, system } = process.cpuUsage()
  process.send(user + system)
})
process.once('disconnect', () => process.exit())
