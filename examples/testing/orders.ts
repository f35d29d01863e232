import { task } from 'offload'
import { z } from 'zod'

export interface Mailer {
  send(to: string, subject: string): Promise<void>
}

export interface Bank {
  /** Charges once for each idempotency key. */
  charge(cents: number, idempotencyKey: string): Promise<void>
}

/** The work of a small shop; a test passes a mailer and a bank of its own. */
export function orderTasks(mailer: Mailer, bank: Bank) {
  const order = z.object({ orderId: z.string(), to: z.email(), cents: z.int() })

  const sendReceipt = task('email.receipt', {
    input: order,
    retry: { attempts: 8, base: '10s' },
    run: ({ orderId, to }) => mailer.send(to, `Receipt of ${orderId}`),
  })

  const askForReview = task('email.review', {
    input: order,
    run: ({ orderId, to }) => mailer.send(to, `How was ${orderId}?`),
  })

  const charge = task('payment.charge', {
    input: order,
    async run(input, job) {
      await bank.charge(input.cents, job.id)
      await job.enqueue(sendReceipt, input, { id: `receipt:${input.orderId}` })
    },
  })

  return { sendReceipt, askForReview, charge }
}
