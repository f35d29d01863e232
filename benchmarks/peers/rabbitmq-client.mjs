import { randomUUID } from 'node:crypto'
import { Connection } from 'rabbitmq-client'
import { server, shapeOf, urlOf } from '../lib/rabbitmq.ts'

/** What a worker holds beyond the jobs that run. */
const AHEAD = 300

/**
 * By hand, as with care: its publisher with confirms, where a message that no queue took is an error; connections apart for publishing and
 * consuming; its consumer, with messages at hand beyond those that run, each acknowledged when its handler has ended.
 *
 * @type {import('../lib/system.ts').Open}
 */
export async function open({ name, port, pid, settings }) {
  const options = { url: urlOf(port), noDelay: true }
  const [publishing, consuming] = [new Connection(options), new Connection(options)]
  const queue = { queue: name, ...shapeOf(settings.quorum) }
  // Before anybody consumes: a server fails a consumer that meets a quorum queue which another connection is just declaring.
  await publishing.queueDeclare(queue)
  const publisher = publishing.createPublisher({ confirm: true, maxAttempts: 2, queues: [queue] })
  const returned = new Set()
  publisher.on('basic.return', ({ messageId }) => returned.add(messageId))
  await consuming.onConnect()
  const consumers = []
  const add = async (payload) => {
    const messageId = randomUUID()
    await publisher.send({ routingKey: name, messageId, durable: true, mandatory: true }, payload)
    if (returned.delete(messageId)) throw new Error('no queue took the message')
  }
  return {
    add,
    addMany: (payloads) => Promise.all(payloads.map(add)),
    work(concurrency, { onStart, onDone }) {
      const qos = { prefetchCount: concurrency + AHEAD }
      const consumer = consuming.createConsumer(
        { queue: name, queueOptions: queue, qos, concurrency },
        async ({ body }) => {
          await onStart(body)
          onDone()
        },
      )
      consumers.push(consumer)
    },
    ...server(pid),
    async close() {
      await Promise.all(consumers.map((consumer) => consumer.close()))
      await publisher.close()
      await Promise.all([publishing.close(), consuming.close()])
    },
  }
}
