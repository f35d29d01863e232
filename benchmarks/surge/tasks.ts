import { setTimeout as wait } from 'node:timers/promises'
import type { Task } from 'offload'
import { task } from 'offload'
import { z } from 'zod'

const order = z.object({ orderId: z.string() })
type Order = z.infer<typeof order>

/** What a step of the shop takes when it calls someone: half of it to twice as long. */
const call = (ms: number): Promise<void> => wait(ms * (0.5 + Math.random() * 1.5))

function step(name: string, queue: string, priority: number, ms: number): Task<Order, void> {
  return task(name, { input: order, queue, priority, run: () => call(ms) })
}

const takeStock = step('stock.take', 'default', 7, 20)
const sendMail = step('mail.send', 'mail', 4, 500)
const suggest = step('suggestions.update', 'default', 1, 80)
const count = step('dashboard.update', 'default', 1, 20)

/** An order of the shop: paid first, then the four other steps. */
export const pay = task('payment.charge', {
  input: order,
  priority: 9,
  async run(input, job) {
    await call(300)
    for (const next of [takeStock, sendMail, suggest, count])
      await job.enqueue(next, input, { id: `${next.name}:${input.orderId}` })
  },
})

export const all = [pay, takeStock, sendMail, suggest, count]
/** What each order takes, on the mean: its steps one after the other. */
export const ORDER_MS = 1.25 * (300 + 20 + 500 + 80 + 20)
export const QUEUES = ['default', 'mail']
