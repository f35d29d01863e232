import { Queue, Worker } from 'bullmq'
import { server } from '../lib/redis.ts'

/** @type {import('../lib/system.ts').Open} */
export async function open({ name, port }) {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: true }
  const queue = new Queue(name, { connection, defaultJobOptions })
  await queue.waitUntilReady()
  const workers = []
  return {
    add: (payload, priority) => queue.add('noop', payload, priority === undefined ? undefined : { priority }),
    addMany: (payloads, priorityOf) =>
      queue.addBulk(
        payloads.map((data, index) =>
          priorityOf === undefined
            ? { name: 'noop', data }
            : { name: 'noop', data, opts: { priority: priorityOf(index) } },
        ),
      ),
    work(concurrency, { onStart, onDone }) {
      const worker = new Worker(name, async ({ data }) => onStart(data), { connection, concurrency })
      worker.on('completed', onDone)
      workers.push(worker)
    },
    ...server(port),
    waiting: () => queue.getWaitingCount(),
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)))
      await queue.close()
    },
  }
}
