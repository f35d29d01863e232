import { connect } from 'amqplib'
import { server, shapeOf, urlOf } from '../lib/rabbitmq.ts'

const PREFETCH = 1000

/**
 * The floor: what amqplib and the server alone cost, on a quorum queue. What is added in a turn of the event loop is published and
 * waited for together; what arrived in a turn is acknowledged in one word. No handler, no limit of what runs at once, no id.
 *
 * @type {import('../lib/system.ts').Open}
 */
export async function open({ name, port, pid }) {
  const url = urlOf(port)
  const [publishing, consuming] = await Promise.all([connect(url), connect(url)])
  const channel = await publishing.createConfirmChannel()
  await channel.assertQueue(name, shapeOf(true))
  const publish = (payload) =>
    channel.publish('', name, Buffer.from(JSON.stringify(payload)), { persistent: true })
  let turn
  return {
    add(payload) {
      publish(payload)
      turn ??= new Promise((resolve, reject) => {
        setImmediate(() => {
          turn = undefined
          channel.waitForConfirms().then(resolve, reject)
        })
      })
      return turn
    },
    addMany(payloads) {
      for (const payload of payloads) publish(payload)
      return channel.waitForConfirms()
    },
    async work(_, { onStart, onDone }) {
      const channel = await consuming.createChannel()
      await channel.prefetch(PREFETCH)
      let arrived = []
      const end = () => {
        channel.ack(arrived.at(-1), true)
        for (const _ of arrived) onDone()
        arrived = []
      }
      await channel.consume(name, (message) => {
        onStart(JSON.parse(message.content.toString()))
        if (arrived.push(message) === 1) setImmediate(end)
      })
    },
    ...server(pid),
    close: () => Promise.all([publishing.close(), consuming.close()]),
  }
}
