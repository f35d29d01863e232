import { writeFile } from 'node:fs/promises'
import type { AnyTask, Task } from 'offload'
import { task } from 'offload'
import { z } from 'zod'
import type { Order, Steps } from './steps.ts'
import { messageIdOf, order, receiptOf } from './steps.ts'

export interface ShopTasks {
  readonly pay: Task<Order, void>
  readonly report: Task<{ to: string }, { orders: number }>
  readonly all: AnyTask[]
}

/** The shop's work as tasks. The API only queues them; the worker processes run them. */
export function shopTasks(steps: Steps, paidOrders: () => string[], reportPath: string): ShopTasks {
  const retry = { attempts: 25, base: '200ms', max: '2s' } as const

  const takeStock = task('stock.take', {
    input: order,
    priority: 7,
    retry,
    run: (input) => steps.takeStock(input),
  })

  const sendMail = task('mail.send', {
    input: z.object({ to: z.email(), subject: z.string(), messageId: z.string() }),
    queue: 'mail', // its own line: a slow provider holds up mails, nothing else
    retry,
    timeout: '10s',
    run: (input) => steps.mail(input),
  })

  const suggest = task('suggestions.update', {
    input: order,
    priority: 1,
    retry,
    run: (input) => steps.updateSuggestions(input),
  })
  const count = task('dashboard.update', {
    input: order,
    priority: 1,
    retry,
    run: (input) => steps.updateDashboard(input),
  })

  const pay = task('payment.charge', {
    input: order,
    priority: 9,
    retry,
    timeout: '5s',
    async run(input, job) {
      const { orderId } = input
      await steps.charge(orderId, job.signal) // the order id is the idempotency key: a second try charges nothing
      await Promise.all([
        job.enqueue(takeStock, input, { id: `stock:${orderId}` }),
        job.enqueue(sendMail, receiptOf(input), { id: `mail:${orderId}` }),
        job.enqueue(suggest, input, { id: `suggestions:${orderId}` }),
        job.enqueue(count, input, { id: `dashboard:${orderId}` }),
      ])
    },
  })

  const report = task('report.sales', {
    input: z.object({ to: z.email() }),
    retry,
    async run({ to }, job) {
      const orders = paidOrders()
      job.progress({ orders: orders.length })
      await writeFile(reportPath, `order\n${orders.join('\n')}\n`)
      await job.enqueue(
        sendMail,
        { to, subject: 'The sales report is ready', messageId: messageIdOf('report') },
        { id: 'mail:report' },
      )
      return { orders: orders.length }
    },
  })

  return { pay, report, all: [pay, takeStock, sendMail, suggest, count, report] }
}
