import Queue from 'bee-queue'
import { server } from '../lib/redis.ts'

/** @type {import('../lib/system.ts').Open} */
export async function open({ name, port }) {
  const settings = {
    redis: { host: '127.0.0.1', port },
    removeOnSuccess: true,
    removeOnFailure: true,
    storeJobs: false,
    sendEvents: false,
    getEvents: false,
    activateDelayedJobs: false,
  }
  const queue = new Queue(name, settings)
  await queue.ready()
  return {
    add: (payload) => queue.createJob(payload).save(),
    addMany: (payloads) => queue.saveAll(payloads.map((payload) => queue.createJob(payload))),
    work(concurrency, { onStart, onDone }) {
      queue.on('succeeded', onDone)
      queue.process(concurrency, async ({ data }) => onStart(data))
    },
    ...server(port),
    close: () => queue.close(1000),
  }
}
