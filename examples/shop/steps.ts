import { createTransport } from 'nodemailer'
import { z } from 'zod'
import type { Books } from './books.ts'

export interface Order {
  orderId: string
  to: string
  sku: string
  quantity: number
}

export const order: z.ZodType<Order, Order> = z.object({
  orderId: z.string(),
  to: z.email(),
  sku: z.string(),
  quantity: z.int().positive(),
})

export interface Mail {
  readonly to: string
  readonly subject: string
  readonly messageId: string
}

export const receiptOf = ({ orderId, to }: Order): Mail => ({
  to,
  subject: `Your order ${orderId}`,
  messageId: messageIdOf(orderId),
})

export const messageIdOf = (name: string): string => `<${name}@shop.example>`

/** What an order needs done. Both shops do the same work with the same code; they differ only in when. */
export interface Steps {
  charge(orderId: string, signal?: AbortSignal): Promise<void>
  takeStock(order: Order): void
  mail(mail: Mail): Promise<void>
  updateSuggestions(order: Order): void
  updateDashboard(order: Order): void
  close(): void
}

const PAYMENT_TIMEOUT_MS = 1000

export function openSteps(paymentUrl: string, mailPort: number, books: Books): Steps {
  const mailer = createTransport({
    host: '127.0.0.1',
    port: mailPort,
    ignoreTLS: true,
    pool: true,
    maxConnections: 10,
    maxMessages: 1000,
  })
  return {
    async charge(orderId, signal) {
      const timeout = AbortSignal.timeout(PAYMENT_TIMEOUT_MS)
      const answer = await fetch(paymentUrl, {
        method: 'POST',
        headers: { 'idempotency-key': orderId },
        signal: signal === undefined ? timeout : AbortSignal.any([signal, timeout]),
      })
      await answer.text()
      if (!answer.ok) throw new Error(`the payment provider answered ${answer.status}`)
    },
    takeStock: ({ orderId, sku, quantity }) => books.takeStock(orderId, sku, quantity),
    async mail({ to, subject, messageId }) {
      if (books.isMailed(messageId)) return
      await mailer.sendMail({ from: 'shop@shop.example', to, subject, messageId, text: subject })
      books.markMailed(messageId)
    },
    updateSuggestions: ({ orderId }) => books.count('suggestions', orderId),
    updateDashboard: ({ orderId }) => books.count('dashboard', orderId),
    close: () => mailer.close(),
  }
}
