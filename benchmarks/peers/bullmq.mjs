import { Queue, Worker } from 'bullmq'
import { usedBytes } from './redis.mjs'

/** @type {import('../system.ts').Open} */
export async function open({ name, port }) {
  const connection = { host: '127.0.0.1', port, maxRetriesPerRequest: null }
  const defaultJobOptions = { removeOnComplete: true, removeOnFail: true }
  const queue = new Queue(name, { connection, defaultJobOptions })
  await queue.waitUntilReady()
  const workers = []
  return {
    add: (payload) => queue.add('noop', payload),
    addMany: (payloads) => queue.addBulk(payloads.map((data) => ({ name: 'noop', data }))),
    work(concurrency, { onStart, onDone }) {
      const worker = new Worker(name, async ({ data }) => onStart(data), { connection, concurrency })
      worker.on('completed', onDone)
      workers.push(worker)
    },
    bytes: () => usedBytes(port),
    async close() {
      await Promise.all(workers.map((worker) => worker.close(true)))
      await queue.close()
    },
  }
}
