import type { Offload } from 'offload'
import { offload, task } from 'offload'
import { rabbitmq } from 'offload/backends/rabbitmq'
import { z } from 'zod'

export const receipt = task('order.receipt', {
  input: z.object({ orderId: z.string(), to: z.email() }),
  queue: 'receipts',
  async run({ orderId, to }) {
    console.log(`receipt of order ${orderId} to ${to}`)
    return { sent: orderId }
  },
})

/** What the shop in Python publishes with the key `order.placed` is a job of `receipt`. */
export function openQueue(url: string, ledger: string): Offload {
  const routes = [{ exchange: 'shop', key: 'order.placed', task: receipt }]
  return offload({ url: rabbitmq(url, { routes }), ledger, tasks: [receipt] })
}

if (import.meta.main) {
  const queue = openQueue(process.env.AMQP_URL ?? 'amqp://127.0.0.1', 'sqlite:receipts.db')
  const worker = queue.work()
  process.once('SIGINT', async () => {
    await worker.stop()
    await queue.close()
  })
}
