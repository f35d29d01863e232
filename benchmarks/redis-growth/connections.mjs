// A process that works: `connections.mjs '{"port", "queues", "workers"}'` sends how many connections it has to the server.
import { offload, task } from 'offload'
import { z } from 'zod'
import { connectionsOf } from '../lib/redis.ts'

const { port, queues, workers } = JSON.parse(process.argv[2])
const tasks = Array.from({ length: queues }, (_, n) =>
  task(`noop.${n}`, { queue: `queue-${n}`, input: z.number(), run: async (input) => input }),
)
const logger = { debug() {}, info() {}, warn() {}, error: console.error }
const queue = offload({ url: `redis://127.0.0.1:${port}`, tasks, logger })
for (let n = 0; n < workers; n++) queue.work()
for (let n = 0; n < 10; n++) {
  const handles = await Promise.all(tasks.map((one) => queue.enqueue(one, n)))
  await Promise.all(handles.map((handle) => handle.result()))
}
process.send(await connectionsOf(port), () => process.exit())
