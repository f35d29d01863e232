import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import { server, shapeOf, urlOf } from '../lib/rabbitmq.ts'

/** What a worker holds beyond the jobs that run. */
const AHEAD = 300

/**
 * By hand, as with care: a confirm for every message, a message that no queue took is an error, connections apart for publishing and
 * consuming, messages at hand beyond those that run, and each acknowledged when its handler has ended.
 *
 * @type {import('../lib/system.ts').Open}
 */
export async function open({ name, port, pid, settings }) {
  const url = urlOf(port)
  const [publishing, consuming] = await Promise.all([connect(url), connect(url)])
  const channel = await publishing.createConfirmChannel()
  await channel.assertQueue(name, shapeOf(settings.quorum))
  const returned = new Set()
  channel.on('return', ({ properties }) => returned.add(properties.messageId))
  const add = (payload) =>
    new Promise((resolve, reject) => {
      const messageId = randomUUID()
      const body = Buffer.from(JSON.stringify(payload))
      const options = { messageId, contentType: 'application/json', persistent: true, mandatory: true }
      channel.publish('', name, body, options, (error) => {
        if (error !== null) reject(error)
        else if (returned.delete(messageId)) reject(new Error('no queue took the message'))
        else resolve()
      })
    })
  return {
    add,
    addMany: (payloads) => Promise.all(payloads.map(add)),
    async work(concurrency, { onStart, onDone }) {
      const channel = await consuming.createChannel()
      await channel.prefetch(concurrency + AHEAD)
      const waiting = []
      let running = 0
      const run = async (message) => {
        running++
        await onStart(JSON.parse(message.content.toString()))
        channel.ack(message)
        onDone()
        running--
        if (waiting.length > 0) void run(waiting.shift())
      }
      await channel.consume(name, (message) => {
        if (running < concurrency) void run(message)
        else waiting.push(message)
      })
    },
    ...server(pid),
    close: () => Promise.all([publishing.close(), consuming.close()]),
  }
}
