import { statSync } from 'node:fs'
import { offload, task } from 'offload'
import { z } from 'zod'

const schema = z.object({
  orderId: z.string(),
  to: z.string(),
  lines: z.array(z.object({ sku: z.string(), n: z.number() })),
  note: z.string(),
  total: z.number(),
  at: z.number(),
})
/** Servers of a benchmark keep nothing on disk, which Offload would say each time. */
const logger = { debug() {}, info() {}, warn() {}, error: console.error }

/** @type {import('./system.ts').Open} */
export async function open(place) {
  const { url, checked, settings } = place
  const input = checked ? schema : z.custom()
  const noop = task('noop', { input, run: async (payload) => onStart(payload) })
  let onStart = () => {}
  const queue = offload({ url, tasks: [noop], logger, ...settings })
  await queue.ready()
  return {
    add: (payload, priority) => queue.enqueue(noop, payload, priority === undefined ? {} : { priority }),
    addMany: (payloads, priorityOf = () => undefined) =>
      queue.enqueueMany(
        noop,
        payloads.map((one, index) => {
          const priority = priorityOf(index)
          return priority === undefined ? { input: one } : { input: one, options: { priority } }
        }),
      ),
    work(concurrency, hooks) {
      onStart = hooks.onStart
      queue.work({ concurrency }).on('done', hooks.onDone)
    },
    ...(await stored(place)),
    close: () => queue.close(),
  }
}

/** What is measured of the store itself. */
async function stored({ url, path, port, pid, name, settings }) {
  if (url.startsWith('amqp:')) {
    const { filled, server, workQueue } = await import('./rabbitmq.ts')
    const hasLedger = settings.ledger !== 'none'
    return { ...server(pid), ...(hasLedger ? { published: () => filled(port, workQueue(name)) } : {}) }
  }
  if (!url.startsWith('redis:'))
    return { bytes: async () => statSync(path).size + statSync(`${path}-wal`).size }
  const { server } = await import('./redis.ts')
  return server(port)
}
